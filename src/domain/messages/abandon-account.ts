import { and, eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { messages } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'

/** Settles the messages that an account has not sent when it is deleted. */
export async function abandonAccountMessages(tx: Executor, ctx: BusinessContext, accountId: string): Promise<void> {
  const ofAccount = and(eq(messages.accountId, accountId), eq(messages.businessId, ctx.businessId))
  await tx
    .update(messages)
    .set({
      status: 'failed',
      failedAt: new Date(),
      errorCode: 'account_deleted',
      errorMessage: 'The WhatsApp account was deleted before the message was sent.',
    })
    .where(and(ofAccount, eq(messages.status, 'queued')))
  await tx
    .update(messages)
    .set({ status: 'unknown', errorCode: 'account_deleted', errorMessage: 'The account was deleted meanwhile.' })
    .where(and(ofAccount, eq(messages.status, 'sending')))
}
