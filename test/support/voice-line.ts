import { expect } from 'bun:test'
import { createStreamToken, verifyStreamToken } from '../../src/domain/calls/index.ts'
import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { createFileTraceWriters } from '../../src/media/call-trace-writer.ts'
import { type Clock, systemClock } from '../../src/media/clock.ts'
import {
  type CallTools,
  DEFAULT_LIMITS,
  type PhraseName,
  type SessionDeps,
  type SessionEnd,
  type SessionLimits,
} from '../../src/media/media-session-ports.ts'
import { type Replay, replayCall } from '../../src/media/replay.ts'
import { createMediaSocket } from '../../src/media/socket.ts'
import { parseTrace } from '../../src/media/trace-entries.ts'
import { DEFAULT_POLICY, type TurnOptions } from '../../src/media/turn-options.ts'
import { createRealtimeEngine } from '../../src/providers/speech/openai-realtime/engine.ts'
import type { RealtimeLimits, RealtimeSettings } from '../../src/providers/speech/openai-realtime/settings.ts'
import type { WarmConnectionTimes } from '../../src/providers/speech/openai-realtime/warm-connection.ts'
import type { IntakeScript, Language, SpeechEngine } from '../../src/providers/speech/port.ts'
import { createTwilioTelephony } from '../../src/providers/telephony/twilio.ts'
import { makeTone } from '../../src/sandbox/carrier/audio.ts'
import type { CallReport } from '../../src/sandbox/carrier/call-report.ts'
import { type PlaceCall, placeCall } from '../../src/sandbox/carrier/caller.ts'
import type { RealtimeScriptInput } from '../../src/sandbox/openai/script.ts'
import { ACCOUNT_SID, AUTH_TOKEN, startTestCarrier } from '../sandbox/carrier/support.ts'
import { temporaryDirectory } from './cleanup.ts'
import { OPENAI_KEY, startTestOpenAi } from './realtime.ts'

const SECRET = 'a secret for stream tokens'
const BUSINESS = '0190a000-0000-7000-8000-000000000001'

export type SavedTurn = Parameters<SessionDeps['events']['turn']>[1]

export type VoiceLine = ReturnType<typeof startVoiceLine>

/**
 * The media socket with the real session and the OpenAI engine, between a carrier and an OpenAI in boxes. What would go into
 * the database is kept in lists.
 */
export function startVoiceLine(options: {
  script?: RealtimeScriptInput
  limits?: Partial<SessionLimits>
  policy?: Partial<TurnOptions>
  engineLimits?: Partial<RealtimeLimits>
  standby?: SpeechEngine | null
  /** In place of OpenAI's. */
  engine?: SpeechEngine
  tools?: CallTools
  known?: SessionDeps['known']
  greetingMs?: number
  /** What is said in a call. */
  intake?: IntakeScript
  apiKey?: string
  settings?: Partial<Omit<RealtimeSettings, 'model'>>
  /** Speaks the model's words; without it they are tones. */
  speak?: (text: string, language: string) => Promise<Uint8Array>
  language?: Language
  warmConnection?: WarmConnectionTimes
  clock?: Clock
}) {
  const openai = startTestOpenAi(options.script ?? {}, options.speak)
  const carrier = startTestCarrier()
  const log = createLogger('silent')
  const engine = createRealtimeEngine({
    apiKey: options.apiKey ?? OPENAI_KEY,
    url: openai.realtimeUrl,
    model: 'gpt-realtime-2.1',
    ...(options.settings ? { settings: options.settings } : {}),
    ...(options.warmConnection ? { warmConnection: options.warmConnection } : {}),
    limits: { connectMs: 1_500, quietMs: 700, stallMs: 1_600, ...options.engineLimits },
  })
  const ends = new Map<string, SessionEnd>()
  const rejections = new Map<string, string>()
  const turns: SavedTurn[] = []
  const leads: unknown[] = []
  const script = options.intake ?? intakeScript({ language: options.language ?? 'en', businessName: 'Levi' })
  const phrases: Record<PhraseName, Uint8Array> = {
    oneMoment: makeTone(500, 600),
    connecting: makeTone(500, 500),
    reprompt: makeTone(500, 700),
    goodbye: makeTone(500, 800),
  }
  const directory = temporaryDirectory('records')
  const recorders = createFileTraceWriters({ dir: directory, log })
  let telephony = createTwilioTelephony({
    accountSid: ACCOUNT_SID,
    authToken: AUTH_TOKEN,
    apiBaseUrl: carrier.url,
    publicBaseUrl: '',
  })
  const media = createMediaSocket({
    log,
    verifyUpgrade: (path, signature) => (telephony.verifyUpgrade(path, signature) ? { only: null } : null),
    session: {
      engine: options.engine ?? engine,
      standby: options.standby ?? null,
      ...(options.tools ? { tools: options.tools } : {}),
      ...(options.known ? { known: options.known } : {}),
      log,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      clock: options.clock ?? systemClock,
      openTrace: (callSid) => recorders.open(callSid),
      verifyToken: (token, callSid) => verifyStreamToken(SECRET, token, callSid),
      reception: () => ({
        script,
        greeting: makeTone(350, options.greetingMs ?? 600),
        renderGreeting: async () => makeTone(350, 600),
        phrase: (name) => phrases[name],
        instructions: 'You answer the telephone.',
        policy: { ...DEFAULT_POLICY, ...options.policy },
      }),
      events: {
        claim: async () => true,
        turn: (_, turn) => void turns.push(turn),
        lead: (_, answers) => void leads.push(answers),
        async end(call, end) {
          ends.set(call.callSid, end)
        },
        async refuse(callSid, detail) {
          rejections.set(callSid, detail)
        },
      },
    },
  })
  const answers: { path: string; params: Record<string, string> }[] = []
  const replays: Replay[] = []
  let badToken = false
  const server = Bun.serve<Parameters<typeof media.handlers.open & object>[0]['data']>({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request, self) {
      const upgraded = media.upgrade(request, self)
      if (upgraded !== null) return upgraded
      const params = Object.fromEntries(new URLSearchParams(await request.text()))
      const path = new URL(request.url).pathname
      answers.push({ path, params })
      const callSid = params.CallSid ?? ''
      const xml = (document: string) => new Response(document, { headers: { 'Content-Type': 'text/xml' } })
      if (path !== '/incoming') return xml(telephony.hangUp())
      const token = createStreamToken(SECRET, {
        callSid,
        businessId: BUSINESS,
        from: params.From ?? '',
        to: params.To ?? '',
      })
      return xml(
        telephony.connectStream({
          streamUrl: `wss://127.0.0.1:${self.port}/ws/twilio-media`,
          actionUrl: `http://127.0.0.1:${self.port}/ended`,
          statusCallbackUrl: `http://127.0.0.1:${self.port}/status`,
          parameters: { token: badToken ? `${token}x` : token },
        }),
      )
    },
    websocket: media.handlers,
  })
  const base = `http://127.0.0.1:${server.port}`
  telephony = createTwilioTelephony({
    accountSid: ACCOUNT_SID,
    authToken: AUTH_TOKEN,
    apiBaseUrl: carrier.url,
    publicBaseUrl: base,
  })

  return {
    openai,
    carrier,
    engine,
    media,
    server,
    recorders,
    telephony: () => telephony,
    base,
    turns,
    leads,
    answers,
    replays,
    ends,
    rejections,
    spoilTokens(spoil: boolean) {
      badToken = spoil
    },
    recordOf: recorders.pathOf,
    async call(call: Partial<PlaceCall>): Promise<{
      report: CallReport
      end: SessionEnd | null
      replay: Replay | null
      /** When the call's clock began, by `performance.now`. */
      placedAt: number
    }> {
      let placedAt = 0
      const report = await placeCall({
        carrier,
        webhookUrl: `${base}/incoming`,
        from: '+972501234567',
        to: '+97233760000',
        maxSeconds: 20,
        ...call,
        onPlaced: (sid) => {
          placedAt = performance.now()
          call.onPlaced?.(sid)
        },
      })
      await recorders.flush()
      const file = Bun.file(recorders.pathOf(report.callSid))
      const replay = (await file.exists()) ? await replayCall(parseTrace(await file.text())) : null
      if (replay) replays.push(replay)
      return {
        replay,
        report,
        placedAt,
        end: ends.get(report.callSid) ?? null,
      }
    },
    /** Waits until both sides have let go of their sockets, and tells which has not. */
    async emptied(ms = 10_000) {
      const held = () => ({ carrier: media.sockets(), engine: engine.sessionCount, openai: openai.open() })
      const end = performance.now() + ms
      while (Object.values(held()).some((count) => count > 0) && performance.now() < end) await Bun.sleep(5)
      expect(held()).toEqual({ carrier: 0, engine: 0, openai: 0 })
    },
    async close() {
      await media.drain()
      await server.stop(true)
      await engine.close()
      await openai.close()
      await carrier.close()
    },
  }
}

/** What a caller says: a tone of that length, which every detector takes for a voice. */
export const say = (ms: number) => makeTone(440, ms)

/**
 * Runs a test on a voice line of its own, so that tests of calls, which wait more than they compute, run side by side.
 * Afterwards no session is left on either side, and the replay of every call comes to the same decisions.
 */
export async function withVoiceLine(
  options: Parameters<typeof startVoiceLine>[0],
  run: (line: VoiceLine) => Promise<void>,
): Promise<void> {
  const line = startVoiceLine(options)
  try {
    await run(line)
    await line.emptied()
    expect(line.media.liveCalls()).toBe(0)
    for (const replay of line.replays) expect(replay.firstDifference).toBeNull()
  } finally {
    await line.close()
  }
}
