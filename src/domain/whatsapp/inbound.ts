import { and, eq, gt, like } from 'drizzle-orm'
import { z } from 'zod'
import { contacts, messageMedia, messages } from '../../../db/schema/index.ts'
import type { InboundMessage } from '../../jobs/registry.ts'
import { isErased } from '../../lib/errors.ts'
import { cleanDeep } from '../../lib/text.ts'
import { type InboundEvent, type OutboundMessage, WHATSAPP_MEDIA_SCHEME } from '../../providers/whatsapp/port.ts'
import type { BusinessContext } from '../context.ts'
import { describeContent, outboundOf, partyPhone, takeInbound } from '../messages/index.ts'

/** A phone asks again for what it could not read within minutes; older texts stay where they are. */
const RECALL_MS = 48 * 3_600_000

/** What a broadcast list is shown as whose members are not known. */
const LIST_NAME = 'Broadcast list'

/** Stores an inbound event or change of a linked account, once; nothing from before its person's erasure. */
export async function storeInbound(ctx: BusinessContext, accountId: string, given: InboundEvent): Promise<void> {
  const event = cleanDeep(given)
  const { content } = event
  // A group is a conversation of its own: nothing said there belongs to the thread with one person.
  const from = event.group
    ? { phone: null, externalId: event.group, name: event.list ? LIST_NAME : null }
    : { phone: event.contact.phone, lid: event.contact.lid, name: event.contact.name }
  const byAdministrator = content.kind === 'deletion' && content.by === 'administrator'
  const { kind, body, media, data, target } = describeContent(content, event.extras)
  const message: InboundMessage = {
    provider: 'baileys',
    businessId: ctx.businessId,
    accountId,
    dedupeKey: event.dedupeKey,
    providerMessageId: event.id,
    kind,
    from,
    body,
    media,
    replyTo: target ?? event.replyTo,
    data: {
      ...data,
      // What an administrator takes back is not judged by who wrote it.
      ...(event.group && !event.list && !byAdministrator ? { author: event.contact } : {}),
      ...(event.list ? { broadcastList: event.list } : {}),
      ...(event.placeholder ? { placeholder: true } : {}),
    },
    ...(event.secret ? { secret: event.secret } : {}),
    at: event.at.toISOString(),
  }
  const received = takeInbound(ctx, message, {
    own: ((content.kind === 'deletion' && content.direction) || event.direction) === 'out',
    history: event.source === 'history',
    group: event.group !== null,
    list: event.list !== undefined,
    ...(event.arrival ? { id: event.arrival } : {}),
  })
  await received.catch((error: unknown) => {
    if (!isErased(error)) throw error
    ctx.log.debug({ accountId }, 'a message of before the erasure of its person is not kept')
  })
}

const storedEvent = z.custom<InboundEvent>(
  (value) => typeof value === 'object' && value !== null && 'content' in value && 'contact' in value && 'at' in value,
)

/** An inbound event that was kept as JSON. @throws ZodError when it is none */
export function reviveInbound(event: Record<string, unknown> & { at: string }): InboundEvent {
  return storedEvent.parse({ ...event, at: new Date(event.at) })
}

export type PendingFile = { id: string; createdAt: Date }

export async function pendingFiles(ctx: BusinessContext, accountId: string): Promise<PendingFile[]> {
  return await ctx.db
    .select({ id: messageMedia.id, createdAt: messageMedia.createdAt })
    .from(messageMedia)
    .innerJoin(messages, eq(messages.id, messageMedia.messageId))
    .where(
      and(
        eq(messageMedia.businessId, ctx.businessId),
        eq(messages.accountId, accountId),
        eq(messageMedia.state, 'pending'),
        like(messageMedia.sourceUrl, `${WHATSAPP_MEDIA_SCHEME}%`),
      ),
    )
    .orderBy(messageMedia.id)
    .limit(20)
}

/** A message sent of late, for a phone that could not decrypt it. */
export async function recallMessage(
  ctx: BusinessContext,
  accountId: string,
  providerMessageId: string,
): Promise<OutboundMessage | null> {
  const [row] = await ctx.db
    .select({ message: messages, to: partyPhone })
    .from(messages)
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .where(
      and(
        eq(messages.businessId, ctx.businessId),
        eq(messages.accountId, accountId),
        eq(messages.providerMessageId, providerMessageId),
        eq(messages.direction, 'out'),
        gt(messages.occurredAt, new Date(Date.now() - RECALL_MS)),
      ),
    )
  return row?.to ? outboundOf(row.message, { to: row.to, account: accountId }) : null
}
