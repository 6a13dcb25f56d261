import { and, eq, gt, inArray, isNotNull, lt, ne, or, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import type { DatabaseHandle } from '../../../db/client.ts'
import { contacts, messages, whatsappAccounts } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import type { OutboundMessage, SendOutcome, WhatsAppSender } from '../../providers/whatsapp/port.ts'
import { wakeAccount } from '../businesses/index.ts'
import { type BusinessContext, emit } from '../context.ts'
import { tryWithLock } from '../locks.ts'
import type { SendSettings } from './choose-sender.ts'
import { moveToFallback } from './fallback.ts'
import { outboundOf, partyPhone } from './outbound.ts'
import { requeueMessage } from './requeue-message.ts'
import { withdrawOvertaken } from './withdraw-overtaken.ts'

export type DeliveryResult = { done: true; status: string } | { done: false; retryInMs: number; reason: string }

/** A provider may show a message it took only after a while: no verdict of "absent" before this. */
const RECONCILE_AFTER_MS = 20_000
/** After this much doubt the message is left `unknown` for a person to decide. */
const DOUBT_ENDS_AFTER_MS = 30 * 60_000

/** How soon a part is looked at again whose earlier parts have not left, at least and at most. */
const PART_PAUSE_MS = 300
const MAX_PART_PAUSE_MS = 10_000

export type DeliveryDeps = {
  pool: DatabaseHandle['sql']
  /** What a business sends with; null where it has none. */
  senderOf(businessId: string): WhatsAppSender | null
  settings: SendSettings
}

/** Twilio's errors that speak of the sender and not of the message: no such channel, its authentication failed. */
const SENDER_IS_DOWN = new Set(['63001', '63007'])
const WRONG_CREDENTIALS = '20003'
/** No connection was made. Once or twice that is a moment's trouble. */
const UNREACHABLE = new Set(['ECONNREFUSED', 'ConnectionRefused', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'])
const UNREACHABLE_ATTEMPTS = 3

/** Twilio surely did not take the message, and will not take the next one either. */
function isDown(outcome: SendOutcome, attempt: number): boolean {
  if (outcome.outcome === 'rejected') return SENDER_IS_DOWN.has(outcome.code)
  if (outcome.outcome !== 'retry') return false
  return outcome.code === WRONG_CREDENTIALS || (UNREACHABLE.has(outcome.code) && attempt >= UNREACHABLE_ATTEMPTS)
}

type Sending = OutboundMessage & {
  contactId: string
  accountId: string | null
  status: string
  attempts: number
  lastAttemptAt: Date | null
  provider: 'twilio' | 'baileys'
  partOf: string | null
  part: number
  byAgent: boolean
}

/**
 * Sends a queued message, exactly once where the provider allows. `sending` is committed before any byte; a row found so is
 * reconciled first. An advisory lock, which dies with its connection, keeps two workers apart.
 */
export async function deliverMessage(
  ctx: BusinessContext,
  messageId: string,
  deps: DeliveryDeps,
): Promise<DeliveryResult> {
  const delivered = await tryWithLock(deps.pool, `send:${messageId}`, () => deliverLocked(ctx, messageId, deps))
  return delivered?.value ?? { done: false, retryInMs: 2_000, reason: 'another worker is on it' }
}

async function deliverLocked(ctx: BusinessContext, messageId: string, deps: DeliveryDeps): Promise<DeliveryResult> {
  const message = await loadMessage(ctx, messageId, deps.settings.twilio(ctx.businessId).defaultSender)
  if (!message) return { done: true, status: 'gone' }
  if (message.provider === 'baileys') {
    // Its owner sends it; this was only a nudge.
    if (message.status === 'queued' && message.accountId) await wakeAccount(ctx, message.accountId, 'outbox')
    return { done: true, status: message.status }
  }
  const sender = deps.senderOf(ctx.businessId)
  if (!sender) return { done: false, retryInMs: 60_000, reason: 'Twilio is not configured' }
  if (message.status === 'sending') return await settleDoubt(ctx, message, sender)
  if (message.status !== 'queued') return { done: true, status: message.status }
  const waitMs = message.partOf ? await waitForEarlierParts(ctx, { ...message, partOf: message.partOf }) : 0
  if (waitMs > 0) return { done: false, retryInMs: waitMs, reason: 'an earlier part has not left yet' }
  if (message.byAgent && (await withdrawOvertaken(ctx, messageId))) return { done: true, status: 'failed' }

  const begun = await ctx.db
    .update(messages)
    .set({ status: 'sending', attempts: sql`${messages.attempts} + 1`, lastAttemptAt: new Date() })
    .where(and(eq(messages.id, messageId), eq(messages.businessId, ctx.businessId), eq(messages.status, 'queued')))
    .returning({ id: messages.id })
  if (begun.length === 0) return { done: false, retryInMs: 1_000, reason: 'its status moved meanwhile' }

  let outcome: SendOutcome
  try {
    outcome = await sender.send(message)
  } catch (error) {
    // An adapter answers with an outcome; an exception says nothing of what left the machine.
    outcome = { outcome: 'unknown', code: 'adapter_error', message: errorMessage(error) }
  }
  const result = await applyOutcome(ctx, messageId, outcome)
  if (!isDown(outcome, message.attempts + 1)) return result
  const moved = await moveToFallback(ctx, messageId, deps.settings, ['failed', 'queued'])
  return moved ? { done: true, status: 'moved' } : result
}

/** Parts leave in order; one that failed for good delays no other. @returns when to look again; 0 when it may leave now */
async function waitForEarlierParts(ctx: BusinessContext, message: { partOf: string; part: number }): Promise<number> {
  const [waiting] = await ctx.db
    .select({ updatedAt: messages.updatedAt })
    .from(messages)
    .where(
      and(
        eq(messages.businessId, ctx.businessId),
        or(eq(messages.id, message.partOf), eq(messages.partOf, message.partOf)),
        lt(messages.part, message.part),
        inArray(messages.status, ['queued', 'sending']),
      ),
    )
    .orderBy(messages.part)
    .limit(1)
  if (!waiting) return 0
  const idle = Date.now() - waiting.updatedAt.getTime()
  return Math.min(MAX_PART_PAUSE_MS, Math.max(PART_PAUSE_MS, idle / 4))
}

async function settleDoubt(ctx: BusinessContext, message: Sending, sender: WhatsAppSender): Promise<DeliveryResult> {
  const since = message.lastAttemptAt ?? new Date(0)
  const age = Date.now() - since.getTime()
  if (age < RECONCILE_AFTER_MS)
    return { done: false, retryInMs: RECONCILE_AFTER_MS - age + 100, reason: 'waiting before it is reconciled' }
  const found = await sender.reconcile({ ...message, since, otherIds: await otherProviderIds(ctx, message, since) })
  if (found.outcome === 'absent') {
    await setStatus(ctx, message.id, requeueMessage())
    return { done: false, retryInMs: 100, reason: 'the provider never got it' }
  }
  if (found.outcome === 'undecided' || found.outcome === 'unknown') {
    if (age > DOUBT_ENDS_AFTER_MS) {
      await setStatus(ctx, message.id, {
        status: 'unknown',
        errorCode: 'outcome_unknown',
        errorMessage: 'The provider never said whether it took the message.',
      })
      return { done: true, status: 'unknown' }
    }
    return { done: false, retryInMs: 15_000, reason: 'the provider cannot tell yet' }
  }
  return await applyOutcome(ctx, message.id, found)
}

/** Provider ids of the contact's other messages around the attempt: a look-alike among them is not ours. */
async function otherProviderIds(ctx: BusinessContext, message: Sending, since: Date): Promise<string[]> {
  const rows = await ctx.db
    .select({ providerMessageId: messages.providerMessageId })
    .from(messages)
    .where(
      and(
        eq(messages.businessId, ctx.businessId),
        eq(messages.contactId, message.contactId),
        ne(messages.id, message.id),
        isNotNull(messages.providerMessageId),
        gt(messages.updatedAt, new Date(since.getTime() - 10 * 60_000)),
      ),
    )
  return rows.flatMap((row) => row.providerMessageId ?? [])
}

async function applyOutcome(ctx: BusinessContext, messageId: string, outcome: SendOutcome): Promise<DeliveryResult> {
  switch (outcome.outcome) {
    case 'accepted':
      await setStatus(ctx, messageId, {
        status: 'sent',
        providerMessageId: outcome.providerMessageId,
        sentAt: new Date(),
        errorCode: null,
        errorMessage: null,
      })
      return { done: true, status: 'sent' }
    case 'rejected':
      await setStatus(ctx, messageId, {
        status: 'failed',
        failedAt: new Date(),
        errorCode: outcome.code,
        errorMessage: outcome.message,
      })
      return { done: true, status: 'failed' }
    case 'retry':
      await setStatus(ctx, messageId, requeueMessage({ errorCode: outcome.code, errorMessage: outcome.message }))
      return { done: false, retryInMs: outcome.retryAfterMs ?? 5_000, reason: outcome.code }
    case 'unknown':
      await setStatus(ctx, messageId, { status: 'sending', errorCode: outcome.code, errorMessage: outcome.message })
      return { done: false, retryInMs: RECONCILE_AFTER_MS + 500, reason: outcome.code }
  }
}

/** Moves a message on from `sending`; a callback that was faster has moved it further already, and stays right. */
async function setStatus(ctx: BusinessContext, messageId: string, set: PgUpdateSetSource<typeof messages>) {
  await ctx.db.transaction(async (tx) => {
    const moved = await tx
      .update(messages)
      .set(set)
      .where(
        and(
          eq(messages.id, messageId),
          eq(messages.businessId, ctx.businessId),
          inArray(messages.status, ['queued', 'sending']),
        ),
      )
      .returning({ status: messages.status })
    for (const { status } of moved)
      await emit(tx, ctx, { action: 'message.status', entity: 'message', entityId: messageId, data: { status } })
  })
}

async function loadMessage(ctx: BusinessContext, id: string, defaultSender: string | null): Promise<Sending | null> {
  const [row] = await ctx.db
    .select({ message: messages, to: partyPhone, account: whatsappAccounts.phone })
    .from(messages)
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .leftJoin(whatsappAccounts, eq(whatsappAccounts.id, messages.accountId))
    .where(and(eq(messages.id, id), eq(messages.businessId, ctx.businessId), eq(messages.direction, 'out')))
  const account = row?.account ?? defaultSender
  if (!row?.to || !account) return null
  const { message } = row
  return {
    ...outboundOf(message, { to: row.to, account }),
    contactId: message.contactId,
    provider: message.provider,
    accountId: message.accountId,
    status: message.status,
    attempts: message.attempts,
    lastAttemptAt: message.lastAttemptAt,
    partOf: message.partOf,
    part: message.part,
    byAgent: message.writtenBy === 'agent',
  }
}
