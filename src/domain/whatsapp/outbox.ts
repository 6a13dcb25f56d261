import { and, eq, inArray, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import { contacts, messages, whatsappLinks } from '../../../db/schema/index.ts'
import type { OutboundMessage, SendOutcome } from '../../providers/whatsapp/port.ts'
import { type BusinessContext, type DomainContext, emit, eventsOf } from '../context.ts'
import { outboundOf, partyPhone, requeueMessage } from '../messages/index.ts'
import { holds, type Lease } from './leases.ts'
import { mayWrite } from './linked-number.ts'

export type OutboxItem = {
  message: OutboundMessage
  /** `sending`: an attempt began and its outcome is unknown. */
  status: 'queued' | 'sending'
  attempts: number
  lastAttemptAt: Date | null
  isFirst: boolean
  /** A person who writes first withdraws it. */
  byAgent: boolean
  rules: Pick<
    typeof whatsappLinks.$inferSelect,
    'delivery' | 'gapMs' | 'jitterMs' | 'typingMsPerChar' | 'newContactsPerDay' | 'restrictionCode' | 'restrictedAt'
  >
}

const WAITING = ['queued', 'sending'] as const
/** How many messages of an account are looked at for the next one: a contact's first holds back its others. */
const LOOK_AHEAD = 2_000
/** Attempts that WhatsApp refused only for now, after which a message is given up: some hours, since the pauses grow. */
const MAX_ATTEMPTS = 40
const DOUBT_ENDS_MS = 24 * 3_600_000
const DAY_MS = 24 * 3_600_000

/** Which of these accounts have something to send now. */
export async function accountsWithWork(ctx: DomainContext, accountIds: string[]): Promise<string[]> {
  if (accountIds.length === 0) return []
  const rows = await ctx.db
    .selectDistinct({ id: messages.accountId })
    .from(messages)
    .where(and(inArray(messages.accountId, accountIds), inArray(messages.status, [...WAITING]), isDue, isConfirmed))
  return rows.flatMap(({ id }) => id ?? [])
}

const isConfirmed = sql`exists (select from ${whatsappLinks}
  where ${whatsappLinks.accountId} = ${messages.accountId} and ${mayWrite})`
const isDue = or(isNull(messages.nextAttemptAt), lte(messages.nextAttemptAt, sql`now()`))

/**
 * The oldest sendable messages in order; valid only while each is accepted, as a contact's later ones wait for earlier ones.
 */
export async function nextInOutbox(ctx: BusinessContext, lease: Lease, limit = 1): Promise<OutboxItem[]> {
  const free = sql`(
    select id from (
      select id, bool_or(next_attempt_at is not null and next_attempt_at > now())
        over (partition by contact_id order by id) as held
      from (
        select id, contact_id, next_attempt_at from ${messages}
        where account_id = ${lease.accountId} and status in ('queued', 'sending') order by id limit ${LOOK_AHEAD}
      ) as waiting
    ) as due where not held order by id limit ${limit})`
  const rows = await ctx.db
    .select({
      message: messages,
      to: partyPhone,
      link: whatsappLinks,
      isFirst: sql<boolean>`not exists (
        select from ${messages} as other where other.contact_id = ${messages.contactId}
          and other.account_id = ${messages.accountId} and other.id <> ${messages.id}
          and (other.direction = 'in' or other.status in ('sending', 'sent', 'delivered', 'read', 'unknown')))`,
    })
    .from(messages)
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .innerJoin(whatsappLinks, and(holds(lease), mayWrite))
    .where(and(sql`${messages.id} in ${free}`, eq(messages.businessId, ctx.businessId)))
    .orderBy(messages.id)
  const opened = new Set<string>()
  return rows.map(({ message, to, link, isFirst }) => {
    const first = isFirst && !message.opensChat && !opened.has(message.contactId)
    opened.add(message.contactId)
    return {
      // A contact known by a LID alone has no number to send to; an empty one is refused.
      message: outboundOf(message, { to: to ?? '', account: lease.accountId }),
      status: message.status === 'sending' ? 'sending' : 'queued',
      attempts: message.attempts,
      lastAttemptAt: message.lastAttemptAt,
      isFirst: first,
      byAgent: message.writtenBy === 'agent',
      rules: link,
    }
  })
}

export type SendPermit =
  | { may: true }
  /** Not now: the row says when. */
  | { may: false; why: 'daily_cap' | 'taken' }
  | { may: false; why: 'restricted'; outcome: SendOutcome & { outcome: 'rejected' } }

/**
 * Commits `sending` and the provider id under the latest lease before any byte leaves; first messages have a daily limit.
 */
export async function beginSend(
  ctx: BusinessContext,
  lease: Lease,
  item: OutboxItem,
  providerMessageId: string,
): Promise<SendPermit> {
  const { rules, message } = item
  if (item.isFirst && rules.restrictedAt && Date.now() - rules.restrictedAt.getTime() < DAY_MS)
    return {
      may: false,
      why: 'restricted',
      outcome: {
        outcome: 'rejected',
        code: 'account_restricted',
        message: `WhatsApp restricts this account (${rules.restrictionCode}); it opens no new chats for a day.`,
      },
    }
  if (item.isFirst && rules.newContactsPerDay !== null) {
    const until = await rationSpentUntil(ctx, lease.accountId, rules.newContactsPerDay)
    if (until) {
      await ctx.db
        .update(messages)
        .set({
          nextAttemptAt: until,
          errorCode: 'daily_cap',
          errorMessage: 'The account has opened as many new chats as it may in 24 hours; this one waits.',
        })
        .where(and(mine(ctx, message.id), eq(messages.status, 'queued')))
      return { may: false, why: 'daily_cap' }
    }
  }
  const begun = await ctx.db.execute(sql`
    with held as (select 1 from ${whatsappLinks} where ${holds(lease)} and ${mayWrite} for share)
    update ${messages} set status = 'sending', attempts = attempts + 1, last_attempt_at = now(), updated_at = now(),
      next_attempt_at = null, provider_message_id = ${providerMessageId}, opens_chat = opens_chat or ${item.isFirst}
    where ${mine(ctx, message.id)} and account_id = ${lease.accountId} and status = 'queued'
        and exists (select from held)
    returning id`)
  return begun.length > 0 ? { may: true } : { may: false, why: 'taken' }
}

/**
 * Ends an accepted attempt before any byte of `next` leaves; `next` is no first message and not in doubt. @returns whether
 * begun
 */
export async function endAndBegin(
  ctx: BusinessContext,
  lease: Lease,
  ended: AcceptedSend,
  next: { id: string; providerMessageId: string },
): Promise<boolean> {
  const rows = await ctx.db.execute<{ begun: number }>(sql`
    with held as (select 1 from ${whatsappLinks} where ${holds(lease)} and ${mayWrite} for share),
    ${sentWithEvents(ctx, ended)},
    begun as (
      update ${messages} set status = 'sending', attempts = attempts + 1, last_attempt_at = now(), updated_at = now(),
        next_attempt_at = null, provider_message_id = ${next.providerMessageId}
      where ${mine(ctx, next.id)} and account_id = ${lease.accountId} and status = 'queued'
        and exists (select from held)
      returning 1)
    select (select count(*)::int from begun) as begun, (select count(*) from notified) as notified`)
  return (rows[0]?.begun ?? 0) > 0
}

export type AcceptedSend = { id: string; providerMessageId: string }

/** Ends an attempt that `beginSend` began. Updates of the message that came meanwhile stay. */
export async function endSend(ctx: BusinessContext, item: OutboxItem, outcome: SendOutcome): Promise<void> {
  const { id } = item.message
  const attempt = item.attempts + 1
  const ours = and(eq(messages.status, 'sending'), eq(messages.attempts, attempt))
  switch (outcome.outcome) {
    case 'accepted':
      await markSent(ctx, { id, providerMessageId: outcome.providerMessageId })
      return
    case 'rejected':
      await move(ctx, id, ours, failure(outcome))
      return
    case 'retry': {
      const nextAttemptAt = new Date(Date.now() + pauseAfter(attempt, outcome.retryAfterMs))
      const { code: errorCode, message: errorMessage } = outcome
      const over = attempt >= MAX_ATTEMPTS
      await move(ctx, id, ours, over ? failure(outcome) : requeueMessage({ nextAttemptAt, errorCode, errorMessage }))
      return
    }
    case 'unknown':
      await ctx.db
        .update(messages)
        .set({ errorCode: outcome.code, errorMessage: outcome.message })
        .where(and(mine(ctx, id), ours))
  }
}

/** A message that is refused without an attempt. */
export async function refuseQueued(ctx: BusinessContext, id: string, why: { code: string; message: string }) {
  await move(ctx, id, eq(messages.status, 'queued'), failure(why))
}

/** Settles a doubt by reconciling; undecided, `at-least-once` resends with the same id, `at-most-once` leaves `unknown`. */
export async function settleDoubt(
  ctx: BusinessContext,
  item: OutboxItem,
  found: SendOutcome | { outcome: 'absent' } | { outcome: 'undecided' },
): Promise<void> {
  if (found.outcome === 'accepted') {
    await markSent(ctx, { id: item.message.id, providerMessageId: found.providerMessageId })
    return
  }
  const age = Date.now() - (item.lastAttemptAt?.getTime() ?? 0)
  const again = found.outcome === 'absent' || (item.rules.delivery === 'at-least-once' && age < DOUBT_ENDS_MS)
  const pause = item.attempts > 2 ? pauseAfter(item.attempts, 0) : 0
  await move(
    ctx,
    item.message.id,
    and(eq(messages.status, 'sending'), eq(messages.attempts, item.attempts)),
    again
      ? requeueMessage({ nextAttemptAt: new Date(Date.now() + pause) })
      : {
          status: 'unknown',
          errorCode: 'outcome_unknown',
          errorMessage: 'WhatsApp never said whether it took the message. Look at the phone before sending it again.',
        },
  )
}

/** Writes down that WhatsApp took a message. */
export async function markSent(ctx: BusinessContext, ended: AcceptedSend): Promise<void> {
  await ctx.db.execute(sql`with ${sentWithEvents(ctx, ended)} select notified from notified`)
}

/** Parts of a `with`, the last of them `notified`. */
function sentWithEvents(ctx: BusinessContext, { id, providerMessageId }: AcceptedSend): SQL {
  const rows = sql`select business_id, 'message.status' as type, 'message' as entity, id::text as entity_id,
    jsonb_build_object('status', status) as data from sent`
  return sql`sent as (
      update ${messages} set status = 'sent', provider_message_id = ${providerMessageId}, sent_at = now(),
        error_code = null, error_message = null, updated_at = now()
      where ${mine(ctx, id)} and status in ('queued', 'sending', 'unknown')
      returning business_id, id, status),
    ${eventsOf(ctx.actor, rows)}`
}

const failure = ({ code, message }: { code: string; message: string }) =>
  ({ status: 'failed', failedAt: new Date(), errorCode: code, errorMessage: message }) as const

/** Moves a message on from where it is expected to be, and tells who follows it; a requeue emits no event. */
async function move(
  ctx: BusinessContext,
  id: string,
  from: SQL | undefined,
  set: PgUpdateSetSource<typeof messages>,
): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const moved = await tx
      .update(messages)
      .set(set)
      .where(and(mine(ctx, id), from))
      .returning({ status: messages.status })
    for (const { status } of moved)
      if (status !== 'queued')
        await emit(tx, ctx, { action: 'message.status', entity: 'message', entityId: id, data: { status } })
  })
}

/** When the account may open the next new chat; null when it may now. */
async function rationSpentUntil(ctx: BusinessContext, accountId: string, ration: number): Promise<Date | null> {
  const opened = await ctx.db
    .select({ at: messages.lastAttemptAt })
    .from(messages)
    .where(
      and(
        eq(messages.accountId, accountId),
        eq(messages.opensChat, true),
        sql`${messages.lastAttemptAt} > now() - interval '24 hours'`,
      ),
    )
    .orderBy(messages.lastAttemptAt)
  if (opened.length < ration) return null
  // The first place that comes free again; with no ration at all, in a day.
  const next = opened.at(opened.length - ration)?.at
  return new Date((next?.getTime() ?? Date.now()) + DAY_MS)
}

function pauseAfter(attempt: number, asked: number | undefined): number {
  return Math.max(asked ?? 0, Math.min(300_000, 1_000 * 2 ** Math.min(attempt - 1, 9)))
}

const mine = (ctx: BusinessContext, id: string) =>
  and(eq(messages.id, id), eq(messages.businessId, ctx.businessId), eq(messages.direction, 'out'))
