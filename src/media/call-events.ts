import { writeWavMulaw } from '../audio/wav.ts'
import { claimStream, finishCall, type StreamToken } from '../domain/calls/index.ts'
import { type DomainContext, within } from '../domain/context.ts'
import { jobId } from '../domain/job-ids.ts'
import { withEarlierNames } from '../domain/leads/index.ts'
import { turnAudioKey } from '../domain/storage-keys.ts'
import type { Inbox } from '../jobs/inbox.ts'
import type { Producer } from '../jobs/producer.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { cleanDeep, cutText } from '../lib/text.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import type { CallEvents, SessionEnd } from './media-session-ports.ts'

/** How long a caller may wait for the reason to be written before the socket closes all the same. */
const END_DEADLINE_MS = 2_000
const SUMMARY_DELAY_MS = 5_000
const REMEMBERED_ENDS = 10_000

export type EndMemory = {
  /** The end reason of a call this process served lately, or null. */
  reasonOf(callSid: string): string | null
  /** Resolves once everything handed over so far is written, or is the queue's: before that a process must not end. */
  settled(): Promise<void>
}

/**
 * Keeps a call's events: turns and leads through the queue, the end straight into the database, because another server may
 * be asked about it within milliseconds.
 */
export function createCallEvents(deps: {
  ctx: DomainContext
  producer: Pick<Producer, 'enqueueEventually'>
  inbox: Pick<Inbox, 'acceptEventually'>
  storage: ObjectStorage
  log: Logger
  /** This process, as its heartbeat names it. */
  serverId: string
  metrics: Pick<
    Metrics,
    | 'callsEnded'
    | 'greetingMs'
    | 'responseMs'
    | 'clearMs'
    | 'relayInUs'
    | 'relayOutUs'
    | 'engineCostMicroUsd'
    | 'engineFailures'
  >
}): CallEvents & EndMemory {
  const { ctx, producer, inbox, storage, log, metrics } = deps
  const ends = new Map<string, string>()
  const writing = new Set<Promise<void>>()
  /** What the callers of live calls have told so far. */
  const told = new Map<string, ReturnType<typeof textsOf>>()

  function track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => writing.delete(tracked))
    writing.add(tracked)
    return tracked
  }

  function remember(callSid: string, reason: string) {
    ends.set(callSid, reason)
    if (ends.size > REMEMBERED_ENDS) {
      const [oldest] = ends.keys()
      if (oldest !== undefined) ends.delete(oldest)
    }
  }

  async function keepTurnAudio(key: string, audio: Uint8Array): Promise<string | null> {
    for (let attempt = 1; ; attempt++) {
      try {
        await storage.put(key, writeWavMulaw(audio), 'audio/wav')
        return key
      } catch (error) {
        if (attempt === 5) {
          log.error({ error: errorMessage(error) }, 'the audio of a turn could not be stored')
          return null
        }
        await Bun.sleep(attempt * 1_000)
      }
    }
  }

  return {
    reasonOf: (callSid) => ends.get(callSid) ?? null,
    async settled() {
      while (writing.size > 0) await Promise.allSettled(writing)
    },
    claim: (call, streamSid) =>
      claimStream(within(ctx, call.businessId), {
        callSid: call.callSid,
        streamSid,
        serverId: deps.serverId,
        from: call.from,
        to: call.to,
        at: new Date(),
      }),
    turn(call, turn, audio) {
      const save = (audioKey: string | null) =>
        void inbox.acceptEventually(
          'call.turn',
          { ...turn, callSid: call.callSid, businessId: call.businessId, audioKey },
          { key: `${call.callSid}:${turn.index}` },
        )
      if (audio && audio.byteLength > 0)
        void track(keepTurnAudio(turnAudioKey(call.businessId, call.callSid, turn.index), audio).then(save))
      else save(null)
    },
    lead(call, answers) {
      const all = { ...told.get(call.callSid), ...textsOf(answers) }
      told.set(call.callSid, all)
      // Under no key of the call's: what is learned later is an event of its own, and says all, since jobs may change places.
      void inbox.acceptEventually('lead.save', {
        callSid: call.callSid,
        businessId: call.businessId,
        ...withEarlierNames(all),
        at: new Date().toISOString(),
      })
    },
    end: (call, end) => track(writeEnd(call, end)),
  }

  async function writeEnd(call: StreamToken, end: SessionEnd): Promise<void> {
    remember(call.callSid, end.reason)
    told.delete(call.callSid)
    metrics.callsEnded.inc({ reason: end.reason })
    if (typeof end.metrics.greetingMs === 'number') metrics.greetingMs.observe(end.metrics.greetingMs)
    const business = call.businessId
    const { responseMedianMs, clearP95Ms, relayInP95Us, relayOutP95Us, costMicroUsd, engineFailures } = end.metrics
    if (typeof responseMedianMs === 'number') metrics.responseMs.observe({ business }, responseMedianMs)
    if (typeof clearP95Ms === 'number') metrics.clearMs.observe(clearP95Ms)
    if (typeof relayInP95Us === 'number') metrics.relayInUs.observe(relayInP95Us)
    if (typeof relayOutP95Us === 'number') metrics.relayOutUs.observe(relayOutP95Us)
    if (typeof costMicroUsd === 'number') metrics.engineCostMicroUsd.inc({ business }, costMicroUsd)
    if (engineFailures) metrics.engineFailures.inc(engineFailures)
    producer.enqueueEventually(
      'call.summarize',
      { callSid: call.callSid, businessId: call.businessId },
      // Its turns are on their way through the queue.
      { jobId: jobId('summarize', call.callSid), delayMs: SUMMARY_DELAY_MS },
    )
    const at = new Date()
    const late = (why: string) => {
      log.warn({ callSid: call.callSid, error: why }, 'the end of a call goes through the queue')
      void inbox.acceptEventually(
        'call.finish',
        { ...end, callSid: call.callSid, businessId: call.businessId, at: at.toISOString() },
        { key: call.callSid },
      )
    }
    let timer: Timer | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the database did not answer in time')), END_DEADLINE_MS)
    })
    try {
      await Promise.race([
        finishCall(within(ctx, call.businessId), {
          ...cleanDeep(end),
          callSid: call.callSid,
          from: call.from,
          to: call.to,
          at,
        }),
        deadline,
      ])
    } catch (error) {
      late(errorMessage(error))
    } finally {
      clearTimeout(timer)
    }
  }
}

/** The texts of an engine's `save_lead`: only strings, each bounded; anything else is not a text yet. */
function textsOf(answers: unknown): { name?: string; inquiry?: string; callbackTime?: string } {
  if (typeof answers !== 'object' || answers === null) return {}
  const fields = new Map(Object.entries(answers))
  const text = (key: string) => {
    const value = fields.get(key)
    return typeof value === 'string' && value.trim() ? { value: cutText(value.trim(), 2_000) } : null
  }
  const name = text('name')
  const inquiry = text('inquiry')
  const callbackTime = text('callback_time')
  return {
    ...(name ? { name: name.value } : {}),
    ...(inquiry ? { inquiry: inquiry.value } : {}),
    ...(callbackTime ? { callbackTime: callbackTime.value } : {}),
  }
}
