import { errorMessage } from '../../lib/errors.ts'
import { wakeAccount } from '../businesses/index.ts'
import type { BusinessContext } from '../context.ts'
import { sendJobId } from '../job-ids.ts'

/**
 * Has a committed message sent: by its job, or, for a linked account, by a notification to the worker that holds it.
 * @param round names another job of a message whose first one is done
 */
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
