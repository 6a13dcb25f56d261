import {
  callEndReason,
  endAbandonedCalls,
  finishCall,
  recordCallStatus,
  recordStreamEvent,
  registerCall,
  saveTurn,
  summarizeCall,
} from '../src/domain/calls/index.ts'
import { within } from '../src/domain/context.ts'
import { saveLead } from '../src/domain/leads/index.ts'
import { applyMessageStatus, receiveMessage, requeueLostMessages } from '../src/domain/messages/index.ts'
import { sendFollowUp } from '../src/domain/receptionist/index.ts'
import { AppError } from '../src/lib/errors.ts'
import { runWorker } from './run-worker.ts'

const SWEEP_EVERY_MS = 30_000

/** News of a call can overtake the call itself: tried again until its row is there. */
function expectCall<T>(found: T | null | false): T {
  if (found === null || found === false)
    throw new AppError('unavailable', 'call_not_registered', 'The call is not registered yet.')
  return found
}

if (import.meta.main)
  await runWorker(
    'crm',
    8,
    ({ ctx, model, sendSettings }) => ({
      'call.register': async ({ businessId, at, ...call }) => {
        await registerCall(within(ctx, businessId), { ...call, at: new Date(at) })
      },
      'call.stream_event': async (news) => {
        expectCall(await recordStreamEvent(ctx, news))
      },
      'call.status': async (news) => {
        expectCall(await recordCallStatus(ctx, news))
      },
      'call.turn': async (turn) => {
        const saved = expectCall(await saveTurn(within(ctx, turn.businessId), turn))
        if (saved.untranscribed)
          await ctx.enqueue(
            'call.transcribe',
            { businessId: turn.businessId, turnId: saved.id },
            { jobId: `transcribe-${saved.id}` },
          )
      },
      'call.finish': async ({ businessId, at, reason, ...end }) => {
        await finishCall(within(ctx, businessId), {
          ...end,
          reason: callEndReason.parse(reason),
          from: '',
          to: '',
          at: new Date(at),
        })
      },
      'call.summarize': async ({ businessId, callSid }) => {
        const business = within(ctx, businessId)
        const call = expectCall(await summarizeCall(business, callSid, model))
        await sendFollowUp(business, { ...call, callSid }, sendSettings)
      },
      'lead.save': async ({ businessId, at, ...lead }) => {
        expectCall(await saveLead(within(ctx, businessId), { ...lead, source: 'call', at: new Date(at) }))
      },
      'message.receive': async (message) => {
        await receiveMessage(within(ctx, message.businessId), message)
      },
      'message.status': async (news, job) => {
        if (!(await applyMessageStatus(ctx, news))) job.logger.info('news of a message that is not ours')
      },
      'maintenance.sweep': async (_, job) => {
        const requeued = await requeueLostMessages(ctx)
        const ended = await endAbandonedCalls(ctx)
        if (requeued + ended > 0) job.logger.info({ requeued, ended }, 'the sweep put things right')
      },
    }),
    (deps) => deps.producer.scheduleEvery('maintenance.sweep', {}, SWEEP_EVERY_MS),
  )
