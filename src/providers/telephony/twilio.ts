import VoiceResponse from 'twilio/lib/twiml/VoiceResponse'
import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { xmlCharacters } from '../../lib/escape/xml.ts'
import { stripPoints } from '../../lib/hebrew.ts'
import { readAnswer } from '../answers.ts'
import type { CarrierNumber, Prompt, RecordingDownload, Telephony } from './port.ts'
import { isSignedByTwilio } from './verify-signature.ts'

export type TwilioTelephonyOptions = {
  accountSid: string
  authToken: string
  /** REST root; null is Twilio's own. */
  apiBaseUrl: string | null
  /** No trailing slash. Signatures are over this address, never over the request's Host header. */
  publicBaseUrl: string
}

/** A number of the account (Twilio REST, IncomingPhoneNumber): a trunk or an application is asked before `voice_url`. */
const numberResource = z
  .object({
    sid: z.string(),
    phone_number: z.string(),
    voice_url: z.string().nullish(),
    voice_method: z.string().nullish(),
    status_callback: z.string().nullish(),
    status_callback_method: z.string().nullish(),
    voice_application_sid: z.string().nullish(),
    trunk_sid: z.string().nullish(),
  })
  .transform(
    (row): CarrierNumber => ({
      id: row.sid,
      number: row.phone_number,
      voiceUrl: row.voice_url ?? '',
      voiceMethod: row.voice_method ?? '',
      statusCallback: row.status_callback ?? '',
      statusMethod: row.status_callback_method ?? '',
      answeredBy: row.trunk_sid ? 'trunk' : row.voice_application_sid ? 'application' : null,
    }),
  )
const numbersPage = z.object({
  incoming_phone_numbers: z.array(numberResource),
  next_page_uri: z.string().nullable(),
})

const TWILIO_API = 'https://api.twilio.com'
const DOWNLOAD_TIMEOUT_MS = 30_000
/** A voicemail as WAV is about 1 MB a minute. */
const MAX_RECORDING_BYTES = 200 * 1024 * 1024
const VOICEMAIL_SECONDS = 300
/** How long a person's telephone rings. */
const DIAL_SECONDS = 20
const UPDATE_TIMEOUT_MS = 8_000

const NUMBERS_TIMEOUT_MS = 10_000
/** Of a hundred numbers each. */
const MAX_PAGES = 1_000
/** A 2xx of the carrier's that is not its own. */
const GARBLED = 'carrier_garbled'

const carrierError = z.object({ code: z.number().optional(), message: z.string().optional() })

/** Twilio Voice: signatures, TwiML, recordings. Facts: Twilio's webhooks-security, TwiML and Recordings pages. */
export function createTwilioTelephony(options: TwilioTelephonyOptions): Telephony {
  const { accountSid, authToken, publicBaseUrl } = options
  const api = options.apiBaseUrl ?? TWILIO_API
  const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`
  // The TwiML always says wss, also where a plain-text sandbox is dialled.
  const socketBase = publicBaseUrl.replace(/^https?:/, 'wss:')
  const recordingUrl = (sid: string) => `${api}/2010-04-01/Accounts/${accountSid}/Recordings/${encodeURIComponent(sid)}`

  /** @throws AppError `carrier_unreachable` */
  async function ask(url: string, init: RequestInit, timeoutMs: number): Promise<Response> {
    try {
      return await fetch(url, { ...init, headers: { authorization }, signal: AbortSignal.timeout(timeoutMs) })
    } catch (cause) {
      throw new AppError('unavailable', 'carrier_unreachable', 'The carrier could not be reached.', { cause })
    }
  }

  async function download(url: string, maxBytes: number): Promise<Response> {
    const response = await ask(url, {}, DOWNLOAD_TIMEOUT_MS)
    if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
      await response.body?.cancel()
      throw new AppError('too_large', 'file_too_large', `The file is larger than ${maxBytes} bytes.`)
    }
    return response
  }

  async function bytesOf(response: Response, maxBytes: number): Promise<RecordingDownload> {
    const data = new Uint8Array(await response.arrayBuffer())
    if (data.byteLength > maxBytes)
      throw new AppError('too_large', 'file_too_large', `The file is larger than ${maxBytes} bytes.`)
    return { data, contentType: response.headers.get('content-type') ?? 'application/octet-stream' }
  }

  return {
    accountSid,
    verifyWebhook: (request) => isSignedByTwilio(authToken, request, publicBaseUrl),
    verifyUpgrade(path, signature) {
      // Twilio: "try appending a trailing / character to the URL" (usage/security, a few notes).
      return [path, `${path}/`].some((pathAndQuery) =>
        isSignedByTwilio(authToken, { pathAndQuery, signature, params: {} }, socketBase),
      )
    },
    connectStream({ streamUrl, actionUrl, statusCallbackUrl, parameters }) {
      const response = new VoiceResponse()
      const stream = response
        .connect({ action: actionUrl })
        .stream({ url: streamUrl, statusCallback: statusCallbackUrl, statusCallbackMethod: 'POST' })
      for (const [name, value] of Object.entries(parameters)) stream.parameter({ name, value })
      return xmlCharacters(response.toString())
    },
    voicemail({ actionUrl, recordingStatusUrl, ...prompt }) {
      const response = new VoiceResponse()
      addPrompt(response, prompt)
      response.record({
        action: actionUrl,
        method: 'POST',
        maxLength: VOICEMAIL_SECONDS,
        timeout: 5,
        finishOnKey: '#',
        playBeep: true,
        trim: 'trim-silence',
        recordingStatusCallback: recordingStatusUrl,
        recordingStatusCallbackMethod: 'POST',
        recordingStatusCallbackEvent: ['completed', 'absent'],
      })
      return xmlCharacters(response.toString())
    },
    sayGoodbye(prompt) {
      const response = new VoiceResponse()
      addPrompt(response, prompt)
      response.hangup()
      return xmlCharacters(response.toString())
    },
    hangUp() {
      const response = new VoiceResponse()
      response.hangup()
      return xmlCharacters(response.toString())
    },
    dialPerson({ number, callerId, whisperUrl, actionUrl }) {
      const response = new VoiceResponse()
      response
        .dial({
          answerOnBridge: true,
          timeout: DIAL_SECONDS,
          action: actionUrl,
          method: 'POST',
          ...(callerId ? { callerId } : {}),
        })
        .number({ url: whisperUrl, method: 'POST' }, xmlCharacters(number))
      return xmlCharacters(response.toString())
    },
    playPrompt({ promptUrl }) {
      const response = new VoiceResponse()
      response.play(promptUrl)
      return xmlCharacters(response.toString())
    },
    async updateCall(callSid, document) {
      let response: Response
      try {
        response = await fetch(`${api}/2010-04-01/Accounts/${accountSid}/Calls/${encodeURIComponent(callSid)}.json`, {
          method: 'POST',
          headers: { authorization },
          body: new URLSearchParams({ Twiml: document }),
          signal: AbortSignal.timeout(UPDATE_TIMEOUT_MS),
        })
      } catch (cause) {
        throw new AppError('unavailable', 'call_update_failed', 'The carrier could not be reached.', { cause })
      }
      if (response.ok) {
        await readAnswer(response, z.object({ sid: z.literal(callSid) }), 'The carrier', GARBLED)
        return
      }
      const answer = carrierError.safeParse(await response.json().catch(() => null))
      // 21220: the call is not in progress (Twilio's error list).
      if (answer.data?.code === 21220 || response.status === 404)
        throw new AppError('gone', 'call_not_live', 'The call is over.')
      throw new AppError('unavailable', 'call_update_failed', `The carrier answered ${response.status}.`)
    },
    async downloadRecording(sid) {
      // Two channels where the file has them; a <Record> file answers 400 and is fetched as it is.
      for (const query of ['?RequestedChannels=2', '']) {
        const response = await download(`${recordingUrl(sid)}.wav${query}`, MAX_RECORDING_BYTES)
        if (response.ok) return wavOf(await bytesOf(response, MAX_RECORDING_BYTES))
        await response.body?.cancel()
        if (response.status === 400 && query !== '') continue
        if (response.status === 404 && (await isDeleted(sid)))
          throw new AppError('gone', 'recording_gone', 'The carrier has no such recording.')
        throw new AppError(
          'unavailable',
          response.status === 404 ? 'recording_not_ready' : 'recording_fetch_failed',
          `The carrier answered ${response.status} for the recording.`,
        )
      }
      throw new AppError('unavailable', 'recording_fetch_failed', 'The carrier refused the recording in every form.')
    },
    async deleteRecording(sid) {
      const response = await ask(`${recordingUrl(sid)}.json`, { method: 'DELETE' }, DOWNLOAD_TIMEOUT_MS)
      await response.body?.cancel()
      // Twilio, Recordings: "returns HTTP 204 (No Content)"; whoever says 200 is somebody else.
      if (response.status !== 204 && response.status !== 404)
        throw new AppError('unavailable', 'recording_delete_failed', `The carrier answered ${response.status}.`)
    },
    async listNumbers() {
      const numbers: CarrierNumber[] = []
      let path: string | null = `/2010-04-01/Accounts/${accountSid}/IncomingPhoneNumbers.json?PageSize=100`
      for (let pages = 0; path; pages += 1) {
        if (pages === MAX_PAGES) throw new AppError('unavailable', GARBLED, 'The carrier’s list of numbers has no end.')
        const page: z.output<typeof numbersPage> = await askForNumbers(path, numbersPage)
        numbers.push(...page.incoming_phone_numbers)
        path = page.next_page_uri
      }
      return numbers
    },
    async configureNumber(id, { voiceUrl, statusCallback }) {
      return await askForNumbers(
        `/2010-04-01/Accounts/${accountSid}/IncomingPhoneNumbers/${encodeURIComponent(id)}.json`,
        numberResource,
        {
          VoiceUrl: voiceUrl,
          VoiceMethod: 'POST',
          StatusCallback: statusCallback,
          StatusCallbackMethod: 'POST',
          VoiceApplicationSid: '',
          TrunkSid: '',
        },
      )
    },
    async downloadMedia(url, maxBytes) {
      const target = new URL(url)
      // A webhook names the address: our credentials go to the carrier alone, and no other host is asked at all.
      const ours = [new URL(api).host, 'api.twilio.com', 'media.twiliocdn.com'].includes(target.host)
      if (!ours) throw new AppError('forbidden', 'foreign_media_host', 'The file is not on the carrier’s own host.')
      const response = await download(url, maxBytes)
      if (response.ok) return await bytesOf(response, maxBytes)
      await response.body?.cancel()
      if (response.status === 404 || response.status === 410)
        throw new AppError('gone', 'media_gone', 'The carrier no longer has the file.')
      throw new AppError('unavailable', 'media_fetch_failed', `The carrier answered ${response.status} for the file.`)
    },
  }

  /** Reads the numbers' resource, or with `changes` writes it. */
  async function askForNumbers<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    changes?: Record<string, string>,
  ): Promise<z.output<Schema>> {
    const init = changes ? { method: 'POST', body: new URLSearchParams(changes) } : {}
    const response = await ask(`${api}${path}`, init, NUMBERS_TIMEOUT_MS)
    if (response.ok) return await readAnswer(response, schema, 'The carrier', GARBLED)
    const { code, message } = carrierError.safeParse(await response.json().catch(() => null)).data ?? {}
    throw new AppError(
      'unavailable',
      'carrier_refused',
      `The carrier answered ${response.status}${code ? ` (${code}: ${message ?? ''})` : ''} for its numbers.`,
    )
  }

  /** A recording that is being processed and one that is gone both answer 404 to a download; its resource tells. */
  async function isDeleted(sid: string): Promise<boolean> {
    const response = await download(`${recordingUrl(sid)}.json`, 1024 * 1024)
    await response.body?.cancel()
    return response.status === 404
  }
}

/** A recording is a WAV file; anything else would be kept in its place, and the carrier's own then deleted. */
function addPrompt(response: VoiceResponse, { promptUrl, spoken }: Prompt): void {
  if (!spoken) response.play(promptUrl)
  else if (spoken.language === 'he')
    response.say({ language: 'he-IL', voice: 'Google.he-IL-Standard-A' }, xmlCharacters(stripPoints(spoken.text)))
  else response.say({ language: 'en-US' }, xmlCharacters(spoken.text))
}

function wavOf(file: RecordingDownload): RecordingDownload {
  const name = (from: number) => Buffer.from(file.data.subarray(from, from + 4)).toString('latin1')
  if (name(0) === 'RIFF' && name(8) === 'WAVE') return file
  throw new AppError('unavailable', GARBLED, 'The carrier answered 200 for the recording, but no WAV file.')
}
