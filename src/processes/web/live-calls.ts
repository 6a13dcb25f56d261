import { join } from 'node:path'
import { publicUrl, WEBHOOKS } from '../../access/urls.ts'
import type { Deps } from '../../composition/deps.ts'
import { readCallerMemory } from '../../domain/agent/index.ts'
import type { BusinessDirectory } from '../../domain/businesses/index.ts'
import { createStreamToken, type StreamToken, verifyStreamToken } from '../../domain/calls/index.ts'
import { within } from '../../domain/context.ts'
import { createProfileCache } from '../../domain/receptionist/index.ts'
import { createProcessMessages } from '../../domain/system/index.ts'
import type { VoiceWebhookDeps } from '../../http/webhooks/voice/context.ts'
import { networkPhone } from '../../lib/phone.ts'
import { waitAtMost } from '../../lib/wait-at-most.ts'
import { Admission } from '../../media/admission.ts'
import { createFileSpool } from '../../media/audio-spool.ts'
import { createCallEvents } from '../../media/call-events.ts'
import { createCallTools } from '../../media/call-tools.ts'
import { createCallTraceStore } from '../../media/call-trace-store.ts'
import { createFileTraceWriters } from '../../media/call-trace-writer.ts'
import { CallerMemories } from '../../media/caller-memories.ts'
import { systemClock } from '../../media/clock.ts'
import { createListenSocket } from '../../media/listen-socket.ts'
import { createLiveControl } from '../../media/live-control.ts'
import { LoopWatch } from '../../media/loop-watch.ts'
import {
  type CallTools,
  DEFAULT_LIMITS,
  type ServedCall,
  type SessionLimits,
  type Tester,
} from '../../media/media-session-ports.ts'
import { createPreviewVoice } from '../../media/preview-voice.ts'
import { PrewarmedSessions } from '../../media/prewarmed-sessions.ts'
import { createReceptionist, type Receptionist } from '../../media/reception.ts'
import { createStreamRejections } from '../../media/reject-stream.ts'
import { createMediaSocket, type MediaSocket } from '../../media/socket.ts'
import type { Metrics } from '../../observability/metrics.ts'
import type { VoiceServices } from '../../trpc/trpc.ts'

/** How long a test call waits for its greeting before it is dialled. */
const GREETING_MS = 3_000

import { createListenAccess } from './listen-access.ts'

export type LiveCalls = ReturnType<typeof createLiveCalls>

/** Everything that serves a live call: the receptionist, the engines, the media socket and the traces. */
export function createLiveCalls(deps: Deps, directory: BusinessDirectory, limits: Partial<SessionLimits> = {}) {
  const { config, ctx, log, inbox, metrics, carriers } = deps
  const speech = deps.openSpeech()
  const profiles = createProfileCache(ctx.db, log)
  const receptionist = createReceptionist({
    directory,
    prompts: speech.prompts,
    defaults: config.business,
    log,
    profiles,
    engines: (business) => speech.enginesOf(business.id, business.speechEngine),
  })
  const events = createCallEvents({ ...deps, serverId: deps.processId })
  const traces = createTraces(deps)
  const audioSpool = createFileSpool(join(config.dataDir, 'call-audio'), log)
  const prewarmed = new PrewarmedSessions(speech.engine)
  const memories = createMemories(deps)
  const tools = createCallTools({
    ctx,
    profiles,
    events,
    settings: deps.sendSettings,
    carriers,
    installation: deps.telephony,
    timeZone: (businessId) => directory.business(businessId)?.timezone ?? 'Asia/Jerusalem',
    transferDocument: (call, number) => transferDocument(deps, call, number),
  })
  let draining = false
  const admission = new Admission({
    limit: config.maxConcurrentCalls,
    live: () => media.liveCalls(),
    draining: () => draining,
    delayMs: () => loop.recentMs,
  })
  const loop = new LoopWatch({ live: () => media.liveCalls(), onDelay: (ms) => media.noteDelay(ms) })
  const admit = (callSid: string) => {
    loop.begin()
    return admission.admit(callSid)
  }
  const media = createMediaSocket({
    log,
    verifyUpgrade: (path, signature) => carriers.verifyUpgrade(path, signature),
    session: {
      engine: speech.engine,
      standby: speech.standby,
      adopt: (callSid) => prewarmed.adopt(callSid),
      known: (call) => memories.of(call),
      tools,
      openTrace: (callSid) => traces.writers.open(callSid),
      audioSpool,
      events: { ...events, refuse: createStreamRejections({ ctx, inbox, metrics }) },
      log,
      limits: { ...DEFAULT_LIMITS, ...limits },
      clock: systemClock,
      reception: ({ businessId, to, test, tried }) =>
        test && tried
          ? receptionist.receptionOfTest(businessId, tried.settings, test.language)
          : receptionist.receptionOf(businessId, to),
      verifyToken(token, callSid, tester) {
        const call = servedBy(verifyStreamToken(config.sessionSecret, token, callSid), tester)
        return call && admission.useToken(call.nonce, callSid) ? call : null
      },
    },
  })
  const messages = createProcessMessages({ ctx, sql: deps.database.sql, processId: deps.processId })
  const control = createLiveControl({ messages, sessionOf: (callSid) => media.sessionOf(callSid), log })
  addGauges(metrics, media, loop)

  return {
    media,
    control,
    upgradeListener: createListenSocket({ control, admit: createListenAccess(deps), log }),
    receptionist,
    webhooks: {
      expectCall: (call) => prewarmCall(call, { receptionist, prewarmed, tools, memories }),
      admitCall: admit,
      knownEnd: (callSid) => events.reasonOf(callSid),
    } satisfies Pick<VoiceWebhookDeps, 'expectCall' | 'admitCall' | 'knownEnd'>,
    voice: {
      speak: createPreviewVoice(speech.preview),
      async admitTestCall(call, settings) {
        if (!admit(call.callSid)) return null
        const reception = receptionist.receptionOfTest(call.businessId, settings, call.test.language)
        // A greeting that takes longer, or fails, is the call's to deal with.
        await waitAtMost(reception?.renderGreeting().catch(() => null) ?? Promise.resolve(null), GREETING_MS)
        return createStreamToken(config.sessionSecret, { ...call, from: 'client:console', to: '' })
      },
    } satisfies VoiceServices,
    draining: () => draining,
    beginDrain() {
      draining = true
    },
    async start() {
      await messages.start()
      await profiles.start()
      await receptionist.warm()
      traces.store.start()
    },
    /** Ends once every call's events are written or queued. */
    async stop() {
      control.stop()
      loop.stop()
      await messages.stop()
      await events.settled()
      await audioSpool.close()
      profiles.stop()
      prewarmed.close()
      await traces.writers.flush()
      await traces.store.stop()
      await speech.close()
    },
  }
}

function createMemories({ ctx, log }: Deps): CallerMemories {
  return new CallerMemories(({ businessId, callSid, from }) => {
    const business = within(ctx, businessId, { kind: 'system', id: `call ${callSid}` })
    return readCallerMemory(business, { from }, new Date())
  }, log)
}

function addGauges(metrics: Metrics, media: MediaSocket, loop: LoopWatch): void {
  metrics.gauge('calls_live', 'Calls being served by this process', media.liveCalls)
  metrics.gauge('media_sockets', 'Open media sockets', media.sockets)
  for (const at of ['p50', 'p99', 'max'] as const)
    metrics.gauge(
      `call_event_loop_delay_${at}_milliseconds`,
      `How late the event loop was in the last minute with live calls, ${at}`,
      () => loop.lastMinute[at],
    )
}

/** A test call is served on the connection of the member who asked for it alone, and no other call there. */
function servedBy(call: StreamToken | null, tester: Tester | null): ServedCall | null {
  if (!call?.test) return tester ? null : call
  if (tester?.businessId !== call.businessId || tester.member !== call.test.member) return null
  return { ...call, tried: call.test.draft ? tester.draft : tester.live }
}

/** Opens the engine session of a call while its webhook is answered. */
function prewarmCall(
  call: Omit<StreamToken, 'expiresAt' | 'nonce'>,
  parts: { receptionist: Receptionist; prewarmed: PrewarmedSessions; tools: CallTools; memories: CallerMemories },
): void {
  const reception = parts.receptionist.receptionOf(call.businessId, call.to)
  if (!reception) return
  const { script, instructions, voice, engines } = reception
  const options = {
    callId: call.callSid,
    language: script.language,
    script,
    ...(instructions ? { instructions } : {}),
    ...(voice ? { voice } : {}),
    tools: parts.tools.list({ ...call, expiresAt: 0, nonce: '' }),
  }
  const session = parts.prewarmed.open(call.callSid, options, engines?.engine)
  if (!session?.remember) return
  void parts.memories.of(call).then((known) => {
    if (known !== null) session.remember?.(known)
  })
}

function createTraces({ config, ctx, log, metrics, storage }: Deps) {
  const dir = join(config.dataDir, 'call-records')
  const writers = createFileTraceWriters({
    dir,
    log,
    onClosed: (path, unwritten) => store.add(path, unwritten),
    onWriteFailed: () => metrics.traceTrouble.inc({ what: 'write_failed' }),
  })
  const store = createCallTraceStore({
    dir,
    storage,
    ctx,
    writes: writers.writes,
    onTrouble: (what) => metrics.traceTrouble.inc({ what }),
  })
  metrics.gauge('call_traces_waiting', 'Call traces of this machine that are to be stored', () => store.waiting)
  return { writers, store }
}

function transferDocument({ carriers, config }: Deps, call: StreamToken, number: string): string {
  const url = (path: string) => publicUrl(config.publicBaseUrl, `${path}?business=${call.businessId}`)
  const document = carriers.any()?.dialPerson({
    number,
    callerId: networkPhone(call.to),
    whisperUrl: url(WEBHOOKS.whisper),
    actionUrl: url(WEBHOOKS.dialEnded),
  })
  return document ?? ''
}
