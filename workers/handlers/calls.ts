import type { Deps } from '../../src/composition/deps.ts'
import {
  callEndReason,
  enqueueCallAudio,
  finishCall,
  needsFallbackSummary,
  recordCallStatus,
  recordStreamEvent,
  registerCall,
  registerPending,
  rejectStream,
  saveTurn,
  saveTurns,
  summarizeCall,
} from '../../src/domain/calls/index.ts'
import { type DomainContext, within } from '../../src/domain/context.ts'
import { reviveEvent } from '../../src/domain/inbox/index.ts'
import { jobId } from '../../src/domain/job-ids.ts'
import { saveLead, withPresentNames } from '../../src/domain/leads/index.ts'
import { sendFollowUp } from '../../src/domain/receptionist/index.ts'
import { DelayJob, type JobContext, type JobHandlers } from '../../src/jobs/consumer.ts'
import { type CallTurn, eventKey, type JobPayload } from '../../src/jobs/registry.ts'
import { AppError, failureKind } from '../../src/lib/errors.ts'

/** While the database is away a call's registration comes through the queue alone; events of the call wait this long for it. */
const EVENT_WAIT_MS = 3_600_000
/** A business's own carrier account can invent events of calls that do not exist: those wait for less. */
const OWN_ACCOUNT_EVENT_WAIT_MS = 300_000

/** An event can overtake its call's registration: the call is registered from its own event, or this one waits. */
async function ofCall<T>(
  ctx: DomainContext,
  callSid: string,
  job: JobContext,
  apply: () => Promise<T | null | false>,
  waitsMs = EVENT_WAIT_MS,
): Promise<T> {
  const isThere = (found: T | null | false): found is T => found !== null && found !== false
  const first = await apply()
  if (isThere(first)) return first
  await registerPending(ctx, callSid)
  const second = await apply()
  if (isThere(second)) return second
  const age = Date.now() - job.enqueuedAt.getTime()
  if (age < waitsMs) throw new DelayJob(Math.min(60_000, Math.max(500, age)), 'the call is not registered yet')
  throw new AppError('unavailable', 'call_not_registered', 'The call is not registered yet.')
}

/** An event of a call that never came here, such as to a number that no business has, is dropped. */
export async function ofExistingCall(
  ctx: DomainContext,
  { callSid, onlyFor }: { callSid: string; onlyFor?: string[] | undefined },
  job: JobContext,
  apply: () => Promise<unknown>,
): Promise<void> {
  try {
    await ofCall(ctx, callSid, job, apply, onlyFor ? OWN_ACCOUNT_EVENT_WAIT_MS : EVENT_WAIT_MS)
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'call_not_registered')) throw error
    job.logger.info({ callSid }, 'event of an unknown call dropped')
  }
}

async function saveCallTurn(ctx: DomainContext, turn: JobPayload<'call.turn'>, job: JobContext): Promise<void> {
  const { businessId, callSid } = turn
  const saved = await ofCall(ctx, callSid, job, () => saveTurn(within(ctx, businessId), turn))
  if (saved.untranscribed) await transcribeLater(ctx, businessId, saved.id)
}

/** What cannot be saved with the others, for whatever reason, is judged alone. */
export async function saveCallTurns(ctx: DomainContext, turns: CallTurn[]): Promise<void> {
  const saved = await saveTurns(ctx, turns).catch((error: unknown) => {
    if (failureKind(error) === 'transient') throw error
    return []
  })
  for (const [at, turn] of turns.entries()) {
    const { businessId, callSid, index } = turn
    const found = saved[at]
    if (found?.untranscribed) await transcribeLater(ctx, businessId, found.id)
    if (found) continue
    const key = eventKey('call.turn', `${callSid}:${index}`)
    await reviveEvent(ctx.db, { key, job: 'call.turn', businessId, payload: JSON.stringify(turn) })
  }
}

async function transcribeLater(ctx: DomainContext, businessId: string, turnId: string): Promise<void> {
  await ctx.enqueue('call.transcribe', { businessId, turnId }, { jobId: jobId('transcribe', turnId) })
}

async function summarize(deps: CallDeps, payload: JobPayload<'call.summarize'>, job: JobContext): Promise<void> {
  const { businessId, callSid, fallback } = payload
  const business = within(deps.ctx, businessId)
  // A later attempt finds the summary by rules that the first one left, and is there for the model's.
  if (fallback && job.attempt === 1 && !(await needsFallbackSummary(business, callSid))) return
  const summarizeBy = async (by: CallDeps['models'] | null) => {
    const call = await ofCall(deps.ctx, callSid, job, () => summarizeCall(business, callSid, by))
    await enqueueCallAudio(business, callSid)
    await sendFollowUp(business, { ...call, callSid }, deps.sendSettings)
  }
  try {
    await summarizeBy(deps.models)
  } catch (error) {
    // The caller's message does not wait for an unavailable model, whose summary is retried.
    if (isOfModel(error) && job.attempt === 1) await summarizeBy(null)
    throw error
  }
}

function isOfModel(error: unknown): boolean {
  return error instanceof AppError && error.code.startsWith('model_')
}

type CallDeps = Pick<Deps, 'ctx' | 'models' | 'sendSettings'>
type CallJob = Extract<keyof JobHandlers<'crm'>, `call.${string}` | 'lead.save'>

export function callHandlers(deps: CallDeps): Pick<JobHandlers<'crm'>, CallJob> {
  const { ctx } = deps
  return {
    'call.register': async ({ businessId, at, ...call }) => {
      await registerCall(within(ctx, businessId), { ...call, at: new Date(at) })
    },
    'call.stream_event': (event, job) => ofExistingCall(ctx, event, job, () => recordStreamEvent(ctx, event)),
    'call.refuse_stream': ({ at, ...refused }, job) =>
      ofExistingCall(ctx, refused, job, () => rejectStream(ctx, { ...refused, at: new Date(at) })),
    'call.status': (event, job) => ofExistingCall(ctx, event, job, () => recordCallStatus(ctx, event)),
    'call.turn': (turn, job) => saveCallTurn(ctx, turn, job),
    'call.turns': ({ turns }) => saveCallTurns(ctx, turns),
    'call.finish': async ({ businessId, at, reason, test = false, ...end }) => {
      await finishCall(within(ctx, businessId), {
        ...end,
        test,
        reason: callEndReason.parse(reason),
        from: '',
        to: '',
        at: new Date(at),
      })
    },
    'call.summarize': (payload, job) => summarize(deps, payload, job),
    'lead.save': async ({ businessId, at, ...payload }, job) => {
      const lead = withPresentNames(payload)
      await ofCall(ctx, lead.callSid, job, () =>
        saveLead(within(ctx, businessId), { ...lead, source: 'call', at: new Date(at) }),
      )
    },
  }
}
