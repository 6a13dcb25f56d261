import { sql } from 'drizzle-orm'
import { firstIdAt } from '../../lib/ids.ts'
import type { DomainContext } from '../context.ts'
import { jobId, retryRound } from '../job-ids.ts'
import { LOOK_BACK_MS } from './situation.ts'

/** However long a person goes on writing, an answer comes after this. */
export const LONGEST_SETTLE_MS = 12_000
/** However long a person is seen typing. */
export const LONGEST_TYPING_MS = 25_000
const BATCH = 500
/** Of which something came lately: what an event is about. */
const LATELY_MS = 10 * 60_000
const KEPT_DAYS = 90
const PRUNED_AT_ONCE = 2_000

type Waiting = {
  business_id: string
  conversation_id: string
  last_id: string
  first_at: string
  last_at: string
  settle_seconds: number | null
}

/** When what was written has settled. @param typingUntil how long the person is seen typing */
export function settledAt(first: Date, last: Date, settleSeconds: number, typingUntil: Date | null = null): Date {
  const settled = Math.min(last.getTime() + settleSeconds * 1_000, first.getTime() + LONGEST_SETTLE_MS)
  if (!typingUntil) return new Date(settled)
  return new Date(Math.max(settled, Math.min(typingUntil.getTime(), first.getTime() + LONGEST_TYPING_MS)))
}

/**
 * Queues a job for each conversation with messages that no run has dealt with, named by the last of them. Run on every event; a
 * `sweep` also looks at what is older, and queues again what lost its job. @returns how many
 */
export async function wakeAgent(ctx: DomainContext, options: { sweep?: boolean } = {}, now = new Date()) {
  const since = new Date(now.getTime() - LOOK_BACK_MS)
  const active = options.sweep ? since : new Date(now.getTime() - LATELY_MS)
  const rows = await ctx.db.execute<Waiting>(sql`
    select talk.business_id, talk.id as conversation_id, burst.last_id, burst.first_at, burst.last_at,
      (setting.settings ->> 'settleSeconds')::int as settle_seconds
    from agent_settings as setting
    join conversations as talk on talk.business_id = setting.business_id
      and talk.last_event_at > ${active.toISOString()}::timestamptz
    cross join lateral (
      select (array_agg(message.id order by message.id desc))[1] as last_id, min(message.created_at) as first_at,
        max(message.created_at) as last_at
      from messages as message
      where message.conversation_id = talk.id and message.direction = 'in' and message.id > ${firstIdAt(since)}::uuid
        and message.created_at > greatest(setting.enabled_at, ${since.toISOString()}::timestamptz)
        and not exists (select from agent_answers as answer where answer.message_id = message.id)
    ) as burst
    where setting.enabled_at is not null and burst.last_id is not null
    order by burst.first_at limit ${BATCH}`)
  for (const row of rows) {
    const last = new Date(row.last_at)
    const due = settledAt(new Date(row.first_at), last, row.settle_seconds ?? 4)
    await ctx.enqueue(
      'agent.answer',
      { businessId: row.business_id, conversationId: row.conversation_id, messageId: row.last_id },
      {
        jobId: jobId('agent', row.last_id, ...(options.sweep ? [retryRound(last, now.getTime())] : [])),
        delayMs: Math.max(0, due.getTime() - now.getTime()),
      },
    )
  }
  return rows.length
}

/** Forgets what runs did long ago, and what they said of messages that the business does not keep so long. @returns how many */
export async function pruneAgentRuns(ctx: DomainContext): Promise<number> {
  const gone = await ctx.db.execute<{ id: string }>(sql`
    delete from agent_runs where id in (
      select run.id from agent_runs as run left join retention_settings as kept on kept.business_id = run.business_id
      where run.created_at < now() - make_interval(days => least(kept.message_days, ${KEPT_DAYS}))
      order by run.created_at limit ${PRUNED_AT_ONCE})
    returning id`)
  return gone.length
}
