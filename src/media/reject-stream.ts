import { rejectStream } from '../domain/calls/index.ts'
import type { DomainContext } from '../domain/context.ts'
import type { Inbox } from '../jobs/inbox.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Signer } from '../providers/telephony/port.ts'

/** How long a refused stream may wait for the database. */
const DEADLINE_MS = 2_000

/** Writes why a call got no agent: directly where its row exists, else through the queue. Resolves then; never rejects. */
export function createStreamRejections(deps: {
  ctx: DomainContext
  inbox: Pick<Inbox, 'acceptEventually'>
  metrics: Pick<Metrics, 'callsEnded'>
}): (callSid: string, detail: string, signer: Pick<Signer, 'only'>) => Promise<void> {
  return async (callSid, detail, { only }) => {
    const scope = only ? { onlyFor: [...only] } : {}
    const at = new Date()
    const later = () =>
      deps.inbox.acceptEventually(
        'call.refuse_stream',
        { callSid, detail, ...scope, at: at.toISOString() },
        { key: [callSid, ...(only ?? [])].join('-') },
      )
    let timer: Timer | undefined
    const deadline = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), DEADLINE_MS)
    })
    try {
      const outcome = await Promise.race([rejectStream(deps.ctx, { callSid, detail, ...scope, at }), deadline])
      if (outcome === null) await later()
      else if (outcome === 'refused') deps.metrics.callsEnded.inc({ reason: 'bad_token' })
    } catch (error) {
      deps.ctx.log.warn({ callSid, error: errorMessage(error) }, 'stream rejection goes through the queue')
      await later()
    } finally {
      clearTimeout(timer)
    }
  }
}
