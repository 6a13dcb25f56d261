import { and, eq, or, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { messageMedia, messages } from '../../../db/schema/index.ts'
import type { InboundMessage } from '../../jobs/registry.ts'
import { newId } from '../../lib/ids.ts'
import { WHATSAPP_MEDIA_SCHEME } from '../../providers/whatsapp/port.ts'
import { identitiesOf, lockIdentities, resolveContact } from '../contacts/index.ts'
import { auditOnly, type BusinessContext } from '../context.ts'
import { openConversation } from '../conversations/index.ts'
import { queueDeletions, refuseErased } from '../erasures/index.ts'
import { jobId } from '../job-ids.ts'
import { applyChange, applyEarlyChanges, type ChangedMessage, changeLockSql } from './change-message.ts'
import { applyConsentWord } from './consent.ts'
import { enqueueSend } from './enqueue-send.ts'
import { emitMessage } from './message-event.ts'
import { removePlaceholder } from './placeholder.ts'
import { receiveLockSql } from './receive-message-fast-path.ts'
import { mediaKindOf } from './views.ts'

export type ReceiveOptions = {
  /** The business wrote it on its own phone: an outbound row; one that this product sent is left as it is. */
  own?: boolean
  /** From before the link: it emits no event for agents and counts as read. */
  history?: boolean
  /** Written to a group: what it asks, it asks of the group. */
  group?: boolean
  /** Sent to a broadcast list: one provider id is a row in each recipient's chat. */
  list?: boolean
  /** The row's id: a UUIDv7 of when it came. */
  id?: string
}

/** What a message asks for beside being written: a change of an earlier one, or to be written to no more or again. */
type Asked = { consents: boolean; change: ChangedMessage | null }

type Received = {
  id: string
  media: string[]
  confirmation: string | false | null
  files: Parameters<typeof queueDeletions>[1]
}

/**
 * Writes an inbound message in one transaction and queues what follows; a property test holds the fast path to these steps.
 * @returns its id, the first one's on a repeat @throws AppError `person_erased`
 */
export async function receiveMessageInSteps(
  ctx: BusinessContext,
  input: InboundMessage,
  how: ReceiveOptions,
  asked: Asked,
): Promise<string> {
  const received = await ctx.db.transaction(async (tx) => {
    // The lock serialises duplicates, so that only the first one touches contact and conversation.
    await tx.execute(sql`select ${receiveLockSql(ctx, input)},
      ${changeLockSql(ctx, asked.change?.providerMessageId ?? input.providerMessageId)}`)
    const earlier = await findEarlier(tx, ctx, input, how)
    const replaced = earlier && (await removePlaceholder(tx, ctx, earlier, input)) ? earlier : null
    if (earlier && !replaced) return existing(earlier, await pendingMedia(tx, ctx, earlier))
    if (asked.change) {
      const { id, files } = await applyChange(tx, ctx, asked.change)
      if (id) return { ...existing(id, []), files }
    }
    return await writeInbound(tx, ctx, input, { ...how, ...asked, replaced })
  })
  await queueDeletions(ctx, received.files)
  if (received.confirmation) await enqueueSend(ctx, received.confirmation, input)
  // What only the linked account can fetch, its own process does.
  const byJob = input.media.some(({ url }) => url !== null && !url.startsWith(WHATSAPP_MEDIA_SCHEME))
  for (const mediaId of byJob ? received.media : [])
    await ctx.enqueue(
      'message.fetch_media',
      { businessId: ctx.businessId, mediaId },
      { jobId: jobId('media', mediaId) },
    )
  return received.id
}

function existing(id: string, media: string[]): Received {
  return { id, media, confirmation: null, files: [] }
}

/** The row that was written when this message came before, or, for one of the own phone, when this product sent it. */
async function findEarlier(tx: Executor, ctx: BusinessContext, input: InboundMessage, how: ReceiveOptions) {
  const sentByUs = and(
    eq(messages.provider, input.provider),
    eq(messages.providerMessageId, input.providerMessageId),
    eq(messages.direction, 'out'),
  )
  const same = eq(messages.dedupeKey, input.dedupeKey)
  const [row] = await tx
    .select({ id: messages.id })
    .from(messages)
    .where(and(eq(messages.businessId, ctx.businessId), how.own && !how.list ? or(same, sentByUs) : same))
  return row?.id ?? null
}

async function writeInbound(
  tx: Executor,
  ctx: BusinessContext,
  input: InboundMessage,
  how: ReceiveOptions & Asked & { replaced: string | null },
): Promise<Received> {
  const at = new Date(input.at)
  const identities = identitiesOf(input.from)
  await lockIdentities(tx, ctx, identities)
  await refuseErased(tx, ctx, identities, at)
  const contactId = await resolveContact(tx, ctx, input.from)
  const conversationId = await openConversation(tx, ctx, contactId, {
    at,
    inbound: !how.own && !how.history,
    // A placeholder was counted when it came.
    unread: !how.replaced && countsAsUnread(input),
    ...(how.history ? { old: true } : {}),
  })
  // In the place of its placeholder: whoever holds that id finds the message.
  const id = how.replaced ?? how.id ?? newId()
  const { provider, accountId = null, providerMessageId } = input
  const direction = how.own ? ('out' as const) : ('in' as const)
  await tx.insert(messages).values({
    id,
    businessId: ctx.businessId,
    conversationId,
    contactId,
    direction,
    provider,
    accountId,
    kind: input.kind,
    status: how.own ? 'sent' : 'received',
    ...(how.own ? { sentAt: at, writtenBy: 'person' as const } : {}),
    body: input.body,
    providerMessageId,
    dedupeKey: input.dedupeKey,
    replyTo: input.replyTo ?? null,
    data: input.data ?? null,
    secret: input.secret ?? null,
    occurredAt: at,
  })
  const rows = mediaRows(ctx, id, input)
  if (rows.length > 0) await tx.insert(messageMedia).values(rows)
  const early = { provider, accountId, direction, providerMessageId, contact: input.from, contactId }
  const files = how.change ? [] : await applyEarlyChanges(tx, ctx, id, early)
  await auditOnly(tx, ctx, { action: 'message.receive', entity: 'message', entityId: id })
  await emitMessage(tx, ctx, 'message.receive', id)
  const consent = { id, contactId, conversationId, provider, accountId, body: input.body, phone: input.from.phone }
  return {
    id,
    media: rows.filter((row) => row.sourceUrl !== null).map((row) => row.id),
    confirmation: how.consents && (await applyConsentWord(tx, ctx, consent)),
    files,
  }
}

function mediaRows(ctx: BusinessContext, messageId: string, input: InboundMessage) {
  return input.media.map((item, index) => ({
    id: newId(),
    businessId: ctx.businessId,
    messageId,
    index,
    kind: item.kind ?? mediaKindOf(item.contentType),
    sourceUrl: item.url,
    contentType: item.contentType,
    fileName: item.fileName ?? null,
    seconds: item.seconds == null ? null : Math.round(item.seconds),
    thumbnail: item.thumbnail ?? null,
    ...(item.url === null ? { state: 'unavailable' as const } : {}),
  }))
}

/** What is said about an earlier message is nothing new to read. */
export function countsAsUnread({ kind }: Pick<InboundMessage, 'kind'>): boolean {
  return kind !== 'edit' && kind !== 'reaction' && kind !== 'deletion'
}

/** Files of a message that no job has fetched yet: a crash between commit and enqueue is made good by the retry. */
async function pendingMedia(tx: Executor, ctx: BusinessContext, messageId: string): Promise<string[]> {
  const rows = await tx
    .select({ id: messageMedia.id })
    .from(messageMedia)
    .where(
      and(
        eq(messageMedia.businessId, ctx.businessId),
        eq(messageMedia.messageId, messageId),
        eq(messageMedia.state, 'pending'),
      ),
    )
  return rows.map((row) => row.id)
}
