import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { readAnswer } from '../answers.ts'
import type { CarrierNumber, RecordingDownload, Telephony } from './port.ts'
import { bytesOf, carrierError, GARBLED, TwilioClient } from './twilio-client.ts'
import { createTwilioOutbound } from './twilio-outbound.ts'
import { twiml } from './twiml.ts'
import { isSignedByTwilio } from './verify-signature.ts'

export type TwilioTelephonyOptions = {
  accountSid: string
  authToken: string
  /** REST root; null is Twilio's own. */
  apiBaseUrl: string | null
  /** No trailing slash. Signatures are over this address, never over the request's Host header. */
  publicBaseUrl: string
}

/** A number of the account (Twilio REST, IncomingPhoneNumber): a trunk or an application answers before `voice_url`. */
const numberResource = z
  .object({
    sid: z.string(),
    phone_number: z.string(),
    voice_url: z.string().nullish(),
    voice_method: z.string().nullish(),
    status_callback: z.string().nullish(),
    status_callback_method: z.string().nullish(),
    sms_url: z.string().nullish(),
    sms_method: z.string().nullish(),
    capabilities: z.object({ sms: z.boolean().nullish() }).nullish(),
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
      smsUrl: row.sms_url ?? '',
      smsMethod: row.sms_method ?? '',
      sms: row.capabilities?.sms === true,
      answeredBy: row.trunk_sid ? 'trunk' : row.voice_application_sid ? 'application' : null,
    }),
  )
const numbersPage = z.object({
  incoming_phone_numbers: z.array(numberResource),
  next_page_uri: z.string().nullable(),
})

/** A voicemail as WAV is about 1 MB a minute. */
const MAX_RECORDING_BYTES = 200 * 1024 * 1024
const UPDATE_TIMEOUT_MS = 8_000
/** Of a hundred numbers each. */
const MAX_PAGES = 1_000

/** Twilio Voice: signatures, TwiML, recordings. Source: Twilio's webhooks-security, TwiML and Recordings pages. */
export function createTwilioTelephony(options: TwilioTelephonyOptions): Telephony {
  const { accountSid, authToken, publicBaseUrl } = options
  const client = new TwilioClient(options)
  // The TwiML always says wss, also for a sandbox without TLS.
  const socketBase = publicBaseUrl.replace(/^https?:/, 'wss:')
  return {
    accountSid,
    verifyWebhook: (request) => isSignedByTwilio(authToken, request, publicBaseUrl),
    verifyUpgrade(path, signature) {
      // Twilio: "try appending a trailing / character to the URL" (usage/security, a few notes).
      return [path, `${path}/`].some((pathAndQuery) =>
        isSignedByTwilio(authToken, { pathAndQuery, signature, params: {} }, socketBase),
      )
    },
    ...twiml,
    updateCall: (callSid, document) => updateCall(client, callSid, document),
    downloadRecording: (sid) => downloadRecording(client, sid),
    deleteRecording: (sid) => deleteRecording(client, sid),
    listNumbers: () => listNumbers(client),
    configureNumber: (id, { voiceUrl, statusCallback, smsUrl }) =>
      client.request(client.pathOf('IncomingPhoneNumbers', `${encodeURIComponent(id)}.json`), numberResource, {
        VoiceUrl: voiceUrl,
        VoiceMethod: 'POST',
        StatusCallback: statusCallback,
        StatusCallbackMethod: 'POST',
        SmsUrl: smsUrl,
        SmsMethod: 'POST',
        SmsApplicationSid: '',
        VoiceApplicationSid: '',
        TrunkSid: '',
      }),
    downloadMedia: (url, maxBytes) => downloadMedia(client, url, maxBytes),
    ...createTwilioOutbound(client),
  }
}

async function updateCall(client: TwilioClient, callSid: string, document: string): Promise<void> {
  const response = await client.fetch(
    client.urlOf('Calls', `${encodeURIComponent(callSid)}.json`),
    { method: 'POST', body: new URLSearchParams({ Twiml: document }) },
    UPDATE_TIMEOUT_MS,
    'call_update_failed',
  )
  if (response.ok) {
    await readAnswer(response, z.object({ sid: z.literal(callSid) }), 'The carrier', GARBLED)
    return
  }
  const answer = carrierError.safeParse(await response.json().catch(() => null))
  // 21220: the call is not in progress (Twilio's error list).
  if (answer.data?.code === 21220 || response.status === 404)
    throw new AppError('gone', 'call_not_live', 'The call is over.')
  throw new AppError('unavailable', 'call_update_failed', `The carrier answered ${response.status}.`)
}

async function downloadRecording(client: TwilioClient, sid: string): Promise<RecordingDownload> {
  const url = client.urlOf('Recordings', encodeURIComponent(sid))
  // Two channels where the file has them; a <Record> file answers 400 and is fetched as it is.
  for (const query of ['?RequestedChannels=2', '']) {
    const response = await client.download(`${url}.wav${query}`, MAX_RECORDING_BYTES)
    if (response.ok) return requireWav(await bytesOf(response, MAX_RECORDING_BYTES))
    await response.body?.cancel()
    if (response.status === 400 && query !== '') continue
    if (response.status === 404 && (await isDeleted(client, url)))
      throw new AppError('gone', 'recording_gone', 'The carrier has no such recording.')
    throw new AppError(
      'unavailable',
      response.status === 404 ? 'recording_not_ready' : 'recording_fetch_failed',
      `The carrier answered ${response.status} for the recording.`,
    )
  }
  throw new AppError('unavailable', 'recording_fetch_failed', 'The carrier refused the recording in every form.')
}

/** A recording in progress and a deleted one both answer 404 to a download; the recording's resource decides. */
async function isDeleted(client: TwilioClient, url: string): Promise<boolean> {
  const response = await client.download(`${url}.json`, 1024 * 1024)
  await response.body?.cancel()
  return response.status === 404
}

/** The carrier's copy is deleted once the file is stored: anything but a WAV file must not take its place. */
function requireWav(file: RecordingDownload): RecordingDownload {
  const name = (from: number) => Buffer.from(file.data.subarray(from, from + 4)).toString('latin1')
  if (name(0) === 'RIFF' && name(8) === 'WAVE') return file
  throw new AppError('unavailable', GARBLED, 'The carrier answered 200 for the recording, but no WAV file.')
}

async function deleteRecording(client: TwilioClient, sid: string): Promise<void> {
  const url = client.urlOf('Recordings', `${encodeURIComponent(sid)}.json`)
  const response = await client.fetch(url, { method: 'DELETE' })
  await response.body?.cancel()
  // Twilio, Recordings: "returns HTTP 204 (No Content)"; a 200 comes from another server.
  if (response.status !== 204 && response.status !== 404)
    throw new AppError('unavailable', 'recording_delete_failed', `The carrier answered ${response.status}.`)
}

async function listNumbers(client: TwilioClient): Promise<CarrierNumber[]> {
  const numbers: CarrierNumber[] = []
  let path: string | null = client.pathOf('IncomingPhoneNumbers.json?PageSize=100')
  for (let pages = 0; path; pages += 1) {
    if (pages === MAX_PAGES) throw new AppError('unavailable', GARBLED, 'The carrier’s list of numbers has no end.')
    const page: z.output<typeof numbersPage> = await client.request(path, numbersPage)
    numbers.push(...page.incoming_phone_numbers)
    path = page.next_page_uri
  }
  return numbers
}

async function downloadMedia(client: TwilioClient, url: string, maxBytes: number): Promise<RecordingDownload> {
  // A webhook names the address: the credentials go to the carrier's hosts only, and no other host gets a request.
  const hosts = [new URL(client.api).host, 'api.twilio.com', 'media.twiliocdn.com']
  if (!hosts.includes(new URL(url).host))
    throw new AppError('forbidden', 'foreign_media_host', 'The file is not on the carrier’s own host.')
  const response = await client.download(url, maxBytes)
  if (response.ok) return await bytesOf(response, maxBytes)
  await response.body?.cancel()
  if (response.status === 404 || response.status === 410)
    throw new AppError('gone', 'media_gone', 'The carrier no longer has the file.')
  throw new AppError('unavailable', 'media_fetch_failed', `The carrier answered ${response.status} for the file.`)
}
