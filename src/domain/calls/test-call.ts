import { and, eq, gt, ne, sql } from 'drizzle-orm'
import { calls } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { type Actor, auditOnly, type BusinessContext } from '../context.ts'

const AT_ONCE = 2
/** Of an hour: a member who tries, not a machine. */
const PER_HOUR = 60

/** Begins a test call: a call SID whose row is written when its stream starts. @throws AppError `too_many_test_calls` */
export async function beginTestCall(ctx: BusinessContext, data: { draft: boolean; language: string }): Promise<string> {
  const [row] = await ctx.db
    .select({
      live: sql<number>`count(*) filter (where ${ne(calls.state, 'ended')})`.mapWith(Number),
      hour: sql<number>`count(*)`.mapWith(Number),
    })
    .from(calls)
    .where(
      and(
        eq(calls.businessId, ctx.businessId),
        eq(calls.isTest, true),
        gt(calls.startedAt, sql`now() - interval '1 hour'`),
      ),
    )
  if (row && (row.live >= AT_ONCE || row.hour >= PER_HOUR))
    throw new AppError(
      'rate_limited',
      'too_many_test_calls',
      row.live >= AT_ONCE
        ? 'Other test calls of this business are going on. Wait until one has ended.'
        : `A business may make ${PER_HOUR} test calls an hour. Try again later.`,
    )
  const callSid = `CA${newId().replaceAll('-', '')}`
  await auditOnly(ctx.db, ctx, { action: 'test_call.request', entity: 'call', entityId: callSid, data })
  return callSid
}

/** Names a member or a key in a token of a test call. */
export function actorName({ kind, id }: Actor): string {
  return `${kind}:${id}`
}
