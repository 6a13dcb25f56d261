import { writeWavMulaw } from '../audio/wav.ts'
import { claimStream, finishCall, type LiveState, recordLiveState, type StreamToken } from '../domain/calls/index.ts'
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
import type { HeardAudio } from './item-audio.ts'
import type { CallEvents, ServedCall, SessionEnd } from './media-session-ports.ts'

/** How long the end of a call may wait for the database; then the socket closes. */
const END_DEADLINE_MS = 2_000
const SUMMARY_DELAY_MS = 5_000
const REMEMBERED_ENDS = 10_000
const AUDIO_TRIES = 5

type LeadTexts = ReturnType<typeof textsOf>

export type EndMemory = {
  /** The end reason of a call this process served lately, or null. */
  reasonOf(callSid: string): string | null
  /** Resolves once every event so far is written or queued: a process must not end before. */
  settled(): Promise<void>
}

type CallEventsDeps = {
  ctx: DomainContext
  producer: Pick<Producer, 'enqueueEventually'>
  inbox: Pick<Inbox, 'acceptEventually'>
  storage: ObjectStorage
  log: Logger
  /** This process, as its heartbeat names it. */
  serverId: string
  metrics: CallMetricsSink
}

type CallMetricsSink = Pick<
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

/** Saves a call's events through the queue; the end directly: another server may need it within milliseconds. */
export function createCallEvents(deps: CallEventsDeps): CallEvents & EndMemory {
  const { ctx, inbox } = deps
  const ends = new Map<string, string>()
  const writing = new Set<Promise<void>>()
  const leads = new Map<string, LeadTexts>()
  const states = createLiveStates(ctx, (work) => void track(work))

  function track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => writing.delete(tracked))
    writing.add(tracked)
    return tracked
  }

  function remember(callSid: string, reason: string) {
    ends.set(callSid, reason)
    const [oldest] = ends.keys()
    if (ends.size > REMEMBERED_ENDS && oldest !== undefined) ends.delete(oldest)
  }

  return {
    reasonOf: (callSid) => ends.get(callSid) ?? null,
    async settled() {
      while (writing.size > 0) await Promise.allSettled(writing)
    },
    async claim(call, streamSid) {
      states.begin(call)
      const mine = await claimStream(within(ctx, call.businessId), {
        callSid: call.callSid,
        streamSid,
        serverId: deps.serverId,
        from: call.from,
        to: call.to,
        test: call.test !== undefined,
        at: new Date(),
      })
      if (mine) states.claimed(call)
      else states.over(call)
      return mine
    },
    turn(call, turn, audio) {
      const save = (audioKey: string | null) =>
        void inbox.acceptEventually(
          'call.turn',
          { ...turn, callSid: call.callSid, businessId: call.businessId, audioKey },
          { key: `${call.callSid}:${turn.index}` },
        )
      if (audio)
        void track(storeTurnAudio(deps, turnAudioKey(call.businessId, call.callSid, turn.index), audio).then(save))
      else save(null)
    },
    state(call, state) {
      // A test call is watched by who makes it.
      if (!call.test) states.report(call, state)
    },
    lead(call, answers) {
      if (call.test) return
      const all = { ...leads.get(call.callSid), ...textsOf(answers) }
      leads.set(call.callSid, all)
      // Without a key: each is an event of its own, and contains all of them, since jobs may run in another order.
      void inbox.acceptEventually('lead.save', {
        callSid: call.callSid,
        businessId: call.businessId,
        ...withEarlierNames(all),
        at: new Date().toISOString(),
      })
    },
    end(call, end) {
      remember(call.callSid, end.reason)
      leads.delete(call.callSid)
      states.over(call)
      return track(writeEnd(deps, call, end))
    },
  }
}

type StateEntry = { state: LiveState | null; claimed: boolean; writing: boolean }

/** Writes how live calls stand: once claimed, one write at a time, the last state alone; a failed one is not tried again. */
function createLiveStates(ctx: DomainContext, track: (work: Promise<void>) => void) {
  const calls = new Map<string, StateEntry>()

  function entryOf({ callSid }: StreamToken): StateEntry {
    const entry = calls.get(callSid) ?? { state: null, claimed: false, writing: false }
    calls.set(callSid, entry)
    return entry
  }

  async function write(call: StreamToken, entry: StateEntry): Promise<void> {
    if (entry.writing || !entry.claimed) return
    entry.writing = true
    while (entry.state && calls.get(call.callSid) === entry) {
      const { state } = entry
      entry.state = null
      await recordLiveState(within(ctx, call.businessId), call.callSid, state).catch((error: unknown) =>
        ctx.log.warn({ callSid: call.callSid, error: errorMessage(error) }, 'state of a live call not written'),
      )
    }
    entry.writing = false
  }

  return {
    begin: (call: StreamToken) => void entryOf(call),
    report(call: StreamToken, state: LiveState) {
      const entry = entryOf(call)
      entry.state = state
      track(write(call, entry))
    },
    claimed(call: StreamToken) {
      const entry = calls.get(call.callSid)
      if (!entry) return
      entry.claimed = true
      track(write(call, entry))
    },
    over: ({ callSid }: StreamToken) => void calls.delete(callSid),
  }
}

/** @returns the key, or null when there is none, or the storage did not take it in several tries */
async function storeTurnAudio({ storage, log }: CallEventsDeps, key: string, read: HeardAudio): Promise<string | null> {
  const audio = await read().catch((error: unknown) => {
    log.error({ key, error: errorMessage(error) }, 'turn audio lost')
    return null
  })
  if (!audio?.byteLength) return null
  for (let attempt = 1; ; attempt++) {
    try {
      await storage.put(key, writeWavMulaw(audio), 'audio/wav')
      return key
    } catch (error) {
      if (attempt === AUDIO_TRIES) {
        log.error({ key, error: errorMessage(error) }, 'turn audio not stored')
        return null
      }
      await Bun.sleep(attempt * 1_000)
    }
  }
}

/** Writes the end within a bound; a database that does not answer gets it through the queue. */
async function writeEnd(deps: CallEventsDeps, call: ServedCall, end: SessionEnd): Promise<void> {
  const { ctx, producer, inbox, log } = deps
  const { callSid, businessId, from, to } = call
  const test = call.test !== undefined
  count(deps.metrics, call, end)
  if (!test)
    producer.enqueueEventually(
      'call.summarize',
      { callSid, businessId },
      // Its turns are still on their way through the queue.
      { jobId: jobId('summarize', callSid), delayMs: SUMMARY_DELAY_MS },
    )
  const at = new Date()
  const finished = finishCall(within(ctx, businessId), { ...cleanDeep(end), callSid, from, to, test, at })
  let timer: Timer | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('The database did not answer in time.')), END_DEADLINE_MS)
  })
  try {
    await Promise.race([finished, deadline])
  } catch (error) {
    log.warn({ callSid, error: errorMessage(error) }, 'call end goes through the queue')
    const payload = { ...end, callSid, businessId, test, at: at.toISOString() }
    void inbox.acceptEventually('call.finish', payload, { key: callSid })
  } finally {
    clearTimeout(timer)
  }
}

/** A test call counts for what it costs alone. */
function count(metrics: CallMetricsSink, call: ServedCall, { reason, metrics: of }: SessionEnd) {
  const business = call.businessId
  if (typeof of.costMicroUsd === 'number') metrics.engineCostMicroUsd.inc({ business }, of.costMicroUsd)
  if (call.test) return
  metrics.callsEnded.inc({ reason })
  if (typeof of.greetingMs === 'number') metrics.greetingMs.observe(of.greetingMs)
  if (typeof of.responseMedianMs === 'number') metrics.responseMs.observe({ business }, of.responseMedianMs)
  if (typeof of.clearP95Ms === 'number') metrics.clearMs.observe(of.clearP95Ms)
  if (typeof of.relayInP95Us === 'number') metrics.relayInUs.observe(of.relayInP95Us)
  if (typeof of.relayOutP95Us === 'number') metrics.relayOutUs.observe(of.relayOutP95Us)
  if (of.engineFailures) metrics.engineFailures.inc(of.engineFailures)
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
