import { and, eq, isNotNull } from 'drizzle-orm'
import { z } from 'zod'
import { messages } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'

const pollData = z.object({ poll: z.object({ options: z.array(z.string()) }) })

/** The sealed key for answers to a message of an account, and its options when it is a poll; null when there is none. */
export async function findMessageSecret(
  ctx: BusinessContext,
  accountId: string,
  providerMessageId: string,
): Promise<{ secret: string; options: string[] | null } | null> {
  const [row] = await ctx.db
    .select({ secret: messages.secret, data: messages.data })
    .from(messages)
    .where(
      and(
        eq(messages.businessId, ctx.businessId),
        eq(messages.provider, 'baileys'),
        eq(messages.accountId, accountId),
        eq(messages.providerMessageId, providerMessageId),
        isNotNull(messages.secret),
      ),
    )
    .limit(1)
  if (!row?.secret) return null
  const poll = pollData.safeParse(row.data)
  return { secret: row.secret, options: poll.success ? poll.data.poll.options : null }
}
