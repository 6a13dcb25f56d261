import { errorMessage } from '../../lib/errors.ts'
import { wakeAccount } from '../businesses/index.ts'
import type { BusinessContext } from '../context.ts'
import { sendJobId } from '../job-ids.ts'

/** Enqueues a committed message's job, or wakes its linked account's worker. `round` names another job once one is done. */
export async function enqueueSend(
  ctx: BusinessContext,
  messageId: string,
  sender: { provider: 'twilio' | 'baileys'; accountId?: string | null | undefined },
  ...round: (string | number)[]
): Promise<void> {
  try {
    // A linked account's owner reads its rows itself and needs no job.
    if (sender.provider === 'baileys' && sender.accountId) await wakeAccount(ctx, sender.accountId, 'outbox')
    else
      await ctx.enqueue(
        'whatsapp.send',
        { businessId: ctx.businessId, messageId },
        { jobId: sendJobId(messageId, ...round) },
      )
  } catch (error) {
    // The row is committed: the sweep finds it, or the account's owner.
    ctx.log.warn({ messageId, error: errorMessage(error) }, 'the send job could not be queued; the sweep will')
  }
}
