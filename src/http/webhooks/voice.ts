import { Hono } from 'hono'
import { z } from 'zod'
import { publicSocketUrl, publicUrl, WEBHOOKS } from '../../access/urls.ts'
import type { BusinessDirectory, BusinessEntry } from '../../domain/businesses/index.ts'
import { attestationOf, createStreamToken, decideAfterStream } from '../../domain/calls/index.ts'
import type { DomainContext } from '../../domain/context.ts'
import type { Inbox } from '../../jobs/inbox.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { networkPhone } from '../../lib/phone.ts'
import type { Receptionist } from '../../media/reception.ts'
import { type Carriers, type Signer, speaksFor, type Telephony } from '../../providers/telephony/port.ts'
import { readSideFields, type SideField, text, wholeNumber } from './side-fields.ts'
import { notSigned, readCarrierForm, readSigned, requireCarrierForm, scopeOf } from './verify-signature.ts'

export type VoiceWebhookDeps = {
  ctx: DomainContext
  log: Logger
  carriers: Carriers
  directory: BusinessDirectory
  inbox: Pick<Inbox, 'accept' | 'acceptEventually'>
  publicBaseUrl: string
  /** Spoken where no business is known. */
  defaultLanguage: 'he' | 'en'
  /** What the carrier has to say itself. */
  prompts: Pick<Receptionist, 'textWithoutSound'>
  streamSecret: string
  /** Whether one more call can be served by this process; notes that one is coming. */
  admitCall(callSid: string): boolean
  /** A call was told to connect: what it needs may be opened while it does. */
  expectCall?(call: { callSid: string; businessId: string; from: string; to: string }): void
  /** The end reason of a call that this process served lately. */
  knownEnd(callSid: string): string | null
  count(
    event:
      | 'stream_status_unsigned'
      | 'stream_status_signed'
      | 'call_to_voicemail'
      | 'call_to_agent'
      | 'voice_field_odd',
  ): void
}

/** What the carrier's ids are made of: they name jobs and files. */
const callSid = z.string().regex(/^CA[0-9a-zA-Z]{1,62}$/, 'a CallSid')
const streamSid = z.string().regex(/^MZ[0-9a-zA-Z]{1,62}$/, 'a StreamSid')
const recordingSid = z.string().regex(/^RE[0-9a-zA-Z]{1,62}$/, 'a RecordingSid')

/** The fields without which a webhook means nothing. Everything else is a side field, which never makes one fail. */
const callForm = z.object({ CallSid: callSid })
const statusForm = z.object({ CallSid: callSid, CallStatus: z.string().trim().min(1) })
const streamForm = z.object({ CallSid: callSid, StreamSid: streamSid, StreamEvent: z.string().trim().min(1) })
const recordingForm = z.object({ CallSid: callSid, RecordingSid: recordingSid })

/** Longest of what the database keeps as milliseconds in four bytes. */
const MAX_SECONDS = 2_147_483

const sideFields = {
  From: text(256),
  To: text(256),
  CallerName: text(256),
  ForwardedFrom: text(128),
  StirVerstat: text(64),
  CallStatus: text(32),
  DialCallStatus: text(32),
  CallDuration: wholeNumber(MAX_SECONDS),
  StreamEvent: text(64),
  StreamError: text(1_000),
  RecordingStatus: text(32),
  RecordingDuration: wholeNumber(MAX_SECONDS),
  RecordingChannels: wholeNumber(64),
} satisfies Record<string, SideField<unknown>>

/** An address that nobody can call: shown in the preview, refused by the socket. */
const INERT_TOKEN = 'preview'

/** Twilio asks again, five times, when our answer to a recording's status fails. Fragments are not signed. */
const RETRY_FIVE_TIMES = '#rc=5&rp=all'

/** The telephone's webhooks: verify, parse, answer; what follows is work of jobs. */
export function createVoiceWebhooks(deps: VoiceWebhookDeps): Hono {
  const { log, carriers, directory, inbox, publicBaseUrl } = deps
  const url = (path: string) => publicUrl(publicBaseUrl, path)
  const sides = createSideReader(deps)
  const app = new Hono()

  const promptOf = async (business: BusinessEntry | null, name: 'voicemail' | 'thanks' | 'unclaimed') => {
    const key = business?.id ?? 'default'
    const language = business?.language ?? deps.defaultLanguage
    const text = await deps.prompts.textWithoutSound(key, language, name)
    return { promptUrl: promptUrl(business, name), spoken: text === null ? null : { text, language } }
  }

  const promptUrl = (business: BusinessEntry | null, name: string) =>
    url(`/prompts/${business?.id ?? 'default'}/${business?.language ?? deps.defaultLanguage}/${name}.wav`)

  const voicemail = async (carrier: Telephony, business: BusinessEntry | null) => {
    const query = business ? `?business=${business.id}&language=${business.language}` : ''
    deps.count('call_to_voicemail')
    return carrier.voicemail({
      ...(await promptOf(business, 'voicemail')),
      actionUrl: url(WEBHOOKS.recordingAction + query),
      recordingStatusUrl: url(WEBHOOKS.recordingStatus + query + RETRY_FIVE_TIMES),
    })
  }

  const connect = (carrier: Telephony, token: string, called: string) =>
    carrier.connectStream({
      streamUrl: publicSocketUrl(publicBaseUrl),
      actionUrl: url(WEBHOOKS.streamEnded),
      statusCallbackUrl: url(WEBHOOKS.streamStatus),
      parameters: { token, to: called },
    })

  app.post(WEBHOOKS.incomingCall, async (c) => {
    const { params, signer } = await requireCarrierForm(c, carriers)
    const { telephony } = signer
    const call = { ...callForm.parse(params), ...sides(params) }
    const from = call.From ?? 'anonymous'
    const to = call.To ?? ''
    const found = directory.lookup(networkPhone(to))
    if (found.found === 'business' && !speaksFor(signer, found.business.id)) throw notSigned()
    if (found.found === 'unclaimed') {
      log.warn({ callSid: call.CallSid }, 'a call to a number that no business claims')
      return twiml(telephony.sayGoodbye(await promptOf(null, 'unclaimed')))
    }
    if (found.found === 'unavailable') {
      log.error({ callSid: call.CallSid }, 'a call came before the directory could be read: voicemail')
      return twiml(await voicemail(telephony, null))
    }
    const { business } = found
    const refused = business.blocked ? 'business_blocked' : deps.admitCall(call.CallSid) ? null : 'no_capacity'
    // On the disk before the answer; the database is not waited for.
    await inbox.acceptEventually(
      'call.register',
      {
        callSid: call.CallSid,
        businessId: business.id,
        from,
        to,
        callerName: call.CallerName,
        forwardedFrom: call.ForwardedFrom,
        stirVerstat: call.StirVerstat,
        answeredBy: refused ? 'voicemail' : 'agent',
        voicemailReason: refused,
        at: new Date().toISOString(),
      },
      { key: call.CallSid },
    )
    if (refused) {
      log.info({ callSid: call.CallSid, reason: refused }, 'a call goes straight to voicemail')
      return twiml(await voicemail(telephony, business))
    }
    deps.count('call_to_agent')
    const token = createStreamToken(deps.streamSecret, {
      callSid: call.CallSid,
      businessId: business.id,
      from,
      to,
      ...(attestationOf(call.StirVerstat) === 'failed' ? { unverified: true as const } : {}),
      ...(carriers.of(business.id) === telephony ? {} : { viaInstallation: true as const }),
    })
    deps.expectCall?.({ callSid: call.CallSid, businessId: business.id, from, to })
    return twiml(connect(telephony, token, to))
  })

  app.get(WEBHOOKS.incomingCallPreview, (c) => {
    const telephony = carriers.any()
    if (!telephony)
      throw new AppError('unavailable', 'telephony_not_configured', 'Twilio is not configured on this installation.')
    return twiml(connect(telephony, INERT_TOKEN, c.req.query('To') ?? '+972000000000'))
  })

  app.post(WEBHOOKS.streamEnded, async (c) => {
    const read = await readCarrierForm(c, carriers).catch((error: unknown) => {
      if (error instanceof AppError) return null
      throw error
    })
    const form = callForm.safeParse(read?.params)
    // Unsigned or wrongly signed: an empty answer, no row, no job.
    if (!read?.signer || !form.success) return c.body(null, 204)
    const { signer } = read
    const { telephony } = signer
    const call = { ...form.data, ...sides(read.params) }
    const called = businessCalled(call.To, signer)
    // The caller hung up: nobody is there to leave a message.
    if (call.CallStatus === 'completed') return twiml(telephony.hangUp())
    try {
      const after = await bounded(
        decideAfterStream(deps.ctx, {
          callSid: call.CallSid,
          knownReason: deps.knownEnd(call.CallSid),
          ...scopeOf(signer),
        }),
        3_000,
      )
      if (after.next === 'refuse') return c.body(null, 204)
      if (after.next === 'hangup') return twiml(telephony.hangUp())
      const served = after.businessId ? directory.business(after.businessId) : null
      return twiml(await voicemail(telephony, called && (!served || served.id === called.id) ? called : served))
    } catch (error) {
      // The record cannot be read: a caller who may need it gets the voicemail.
      log.error(
        { callSid: call.CallSid, error: errorMessage(error) },
        'the end of a stream was decided without its record',
      )
      return twiml(await voicemail(telephony, called))
    }
  })

  /** The person that a call was handed to has hung up, or never answered: then the caller leaves a message. */
  app.post(WEBHOOKS.dialEnded, async (c) => {
    const { params, signer } = await requireCarrierForm(c, carriers)
    const { telephony } = signer
    const dial = sides(params)
    const answered = dial.DialCallStatus === 'completed' || dial.DialCallStatus === 'answered'
    if (answered || dial.CallStatus === 'completed') return twiml(telephony.hangUp())
    const business = businessOfQuery(c.req.query('business'), signer) ?? businessCalled(dial.To, signer)
    return twiml(await voicemail(telephony, business))
  })

  app.post(WEBHOOKS.whisper, async (c) => {
    const { signer } = await requireCarrierForm(c, carriers)
    const business = businessOfQuery(c.req.query('business'), signer)
    return twiml(signer.telephony.playPrompt({ promptUrl: promptUrl(business, 'whisper') }))
  })

  app.post(WEBHOOKS.callStatus, async (c) => {
    const { params, signer } = await requireCarrierForm(c, carriers)
    const form = statusForm.safeParse(params)
    const { CallStatus, CallDuration } = sides(params)
    // A status that says nothing changes nothing, and need not come again.
    if (!form.success || CallStatus === null) return c.body(null, 204)
    const { CallSid } = form.data
    await inbox.accept(
      'call.status',
      {
        callSid: CallSid,
        status: CallStatus,
        durationSeconds: CallDuration,
        ...scopeOf(signer),
        at: new Date().toISOString(),
      },
      { key: `${signer.telephony.accountSid}:${CallSid}:${CallStatus}` },
    )
    return c.body(null, 204)
  })

  const recordingJob = (params: Record<string, string>, signer: Signer, business: string | undefined) => {
    const form = { ...recordingForm.parse(params), ...sides(params) }
    const called = directory.lookup(networkPhone(form.To ?? ''))
    const named = z.uuid().safeParse(business).data
    const businessId = named ?? (called.found === 'business' ? called.business.id : undefined)
    if (!businessId) {
      log.error({ callSid: form.CallSid, recordingSid: form.RecordingSid }, 'a recording of no known business')
      throw new AppError(
        'not_found',
        'business_not_found',
        'The recording belongs to no business of this installation.',
      )
    }
    if (!speaksFor(signer, businessId)) throw notSigned()
    return {
      payload: {
        businessId,
        callSid: form.CallSid,
        recordingSid: form.RecordingSid,
        accountSid: signer.telephony.accountSid,
        durationSeconds: form.RecordingDuration,
        // Nothing has no channels: a zero is the carrier's "not known".
        channels: form.RecordingChannels || null,
        at: new Date().toISOString(),
      },
      // The action and the status callback tell of the same recording: one job.
      options: { key: `${businessId}:${form.RecordingSid}` },
    }
  }

  app.post(WEBHOOKS.recordingAction, async (c) => {
    const { params, signer } = await requireCarrierForm(c, carriers)
    const { telephony } = signer
    // A caller who said nothing leaves no recording; the call ends all the same.
    if (params.RecordingSid)
      try {
        const job = recordingJob(params, signer, c.req.query('business'))
        await inbox.acceptEventually('recording.fetch', job.payload, job.options)
      } catch (error) {
        // Nobody's, or of an unknown form: the caller hears the goodbye all the same.
        if (!(error instanceof z.ZodError) && !(error instanceof AppError && error.kind === 'not_found')) throw error
        log.error({ error: errorMessage(error) }, 'a recording could not be taken from the carrier’s request')
      }
    const known = businessOfQuery(c.req.query('business'), signer)
    const language = z.enum(['he', 'en']).safeParse(c.req.query('language')).data
    const spoken = known && language ? { ...known, language } : known
    return twiml(telephony.sayGoodbye(await promptOf(spoken, 'thanks')))
  })

  app.post(WEBHOOKS.recordingStatus, async (c) => {
    const { params, signer } = await requireCarrierForm(c, carriers)
    if (params.RecordingStatus === 'absent' || params.RecordingStatus === 'in-progress') return c.body(null, 204)
    const job = recordingJob(params, signer, c.req.query('business'))
    await inbox.accept('recording.fetch', job.payload, job.options)
    return c.body(null, 204)
  })

  function businessOfQuery(id: string | undefined, signer: Signer): BusinessEntry | null {
    return id && speaksFor(signer, id) ? directory.business(id) : null
  }

  function businessCalled(to: string | null, signer: Signer): BusinessEntry | null {
    const found = directory.lookup(networkPhone(to ?? ''))
    return found.found === 'business' && speaksFor(signer, found.business.id) ? found.business : null
  }

  return app
}

/**
 * `/webhook/stream_status`, before any middleware: 204 always and fast, whatever comes. A validly signed body feeds the
 * call's record; an unsigned one is only counted.
 */
export function createStreamStatusHandler(
  deps: Pick<VoiceWebhookDeps, 'carriers' | 'inbox' | 'count' | 'log'>,
): (request: Request) => Promise<Response> {
  const noContent = () => new Response(null, { status: 204 })
  const sides = createSideReader(deps)
  return async (request) => {
    if (request.method !== 'POST') return new Response(null, { status: 405, headers: { Allow: 'POST' } })
    try {
      const { params, signer } = await bounded(readSigned(request, deps.carriers), 1_000)
      deps.count(signer ? 'stream_status_signed' : 'stream_status_unsigned')
      const form = streamForm.safeParse(params)
      if (!signer || !form.success) return noContent()
      const { CallSid, StreamSid } = form.data
      const { StreamEvent, StreamError } = sides(params)
      if (StreamEvent === null) return noContent()
      const line = { callSid: CallSid, streamSid: StreamSid, event: StreamEvent, error: StreamError }
      if (StreamEvent === 'stream-error') deps.log.warn(line, 'the carrier reports a stream error')
      await deps.inbox.acceptEventually(
        'call.stream_event',
        {
          callSid: CallSid,
          streamSid: StreamSid,
          event: StreamEvent,
          error: StreamError,
          ...scopeOf(signer),
          at: new Date().toISOString(),
        },
        { key: `${signer.telephony.accountSid}:${StreamSid}:${StreamEvent}` },
      )
    } catch (error) {
      // Too large, cut off, too slow: the carrier gets its 204 all the same.
      deps.count('stream_status_unsigned')
      deps.log.debug({ error: errorMessage(error) }, 'a stream status could not be read')
    }
    return noContent()
  }
}

/** Reads side fields; what is odd is counted each time, and logged once a field, without its value. */
function createSideReader({ count, log }: Pick<VoiceWebhookDeps, 'count' | 'log'>) {
  const logged = new Set<string>()
  return (params: Record<string, string>) =>
    readSideFields(params, sideFields, (name) => {
      count('voice_field_odd')
      if (logged.has(name)) return
      logged.add(name)
      log.warn({ field: name }, 'the carrier sent a field that was cut or dropped')
    })
}

function twiml(document: string): Response {
  return new Response(document, { headers: { 'Content-Type': 'text/xml; charset=utf-8', 'Cache-Control': 'no-store' } })
}

async function bounded<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: Timer | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}
