import { and, eq, or, sql } from 'drizzle-orm'
import { messageMedia, messages } from '../../../db/schema/index.ts'
import type { InboundMessage } from '../../jobs/registry.ts'
import { isOvertaken } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { cleanDeep } from '../../lib/text.ts'
import { WHATSAPP_MEDIA_SCHEME } from '../../providers/whatsapp/port.ts'
import { identitiesOf, lockIdentities, readConsentWord, resolveContact } from '../contacts/index.ts'
import { auditOnly, type BusinessContext } from '../context.ts'
import { openConversation } from '../conversations/index.ts'
import { queueDeletions, refuseErased } from '../erasures/index.ts'
import { applyChange, applyEarlyChanges, type ChangedMessage, changeLockSql, takeDeletion } from './change-message.ts'
import { applyConsentWord } from './consent.ts'
import { enqueueSend } from './enqueue-send.ts'
import { emitMessage } from './message-event.ts'
import { removePlaceholder } from './placeholder.ts'
import { receiveLock, receiveMessageFastPath } from './receive-message-fast-path.ts'
import { mediaKindOf } from './views.ts'

/** How an inbound message is to be taken. */
export type ReceiveOptions = {
  /** The business wrote it on its own phone: an outbound row; one that this product sent is left as it is. */
  own?: boolean
  /** From before the link: it is not news, and nothing is unread by it. */
  history?: boolean
  /** Somebody wrote it to a group: what it asks, it asks of the group. */
  group?: boolean
  /** Sent to a broadcast list: one provider id is a row in each recipient's chat. */
  list?: boolean
  /** The row's id: a UUIDv7 of when it came. */
  id?: string
}

/**
 * Takes whatever a provider brought: a message, or an edit or deletion of one (`kind` says so, `replyTo` of which), which may
 * come before the message itself. Brought any number of times, it is one row or one change.
 * @throws AppError `person_erased` when it is of before the person was erased
 */
export async function takeInbound(
  ctx: BusinessContext,
  message: InboundMessage,
  how: ReceiveOptions = {},
): Promise<void> {
  if (message.kind === 'deletion' && message.replyTo)
    await takeDeletion(ctx, changeOf(message, message.replyTo, how.own === true))
  else await receiveMessage(ctx, message, how)
}

/** What is said about an earlier message is nothing new to read. */
function countsAsUnread({ kind }: Pick<InboundMessage, 'kind'>): boolean {
  return kind !== 'edit' && kind !== 'reaction' && kind !== 'deletion'
}

function changeOf(message: InboundMessage, target: string, own: boolean): ChangedMessage {
  const author = authorOf(message.data?.author)
  return {
    provider: message.provider,
    accountId: message.accountId ?? null,
    direction: own ? 'out' : 'in',
    providerMessageId: target,
    contact: message.from,
    ...(author ? { author } : {}),
    at: new Date(message.at),
    text: message.kind === 'deletion' ? null : message.body,
  }
}

function authorOf(author: unknown): ChangedMessage['author'] {
  if (typeof author !== 'object' || author === null) return null
  const field = (name: string) => {
    const value: unknown = Reflect.get(author, name)
    return typeof value === 'string' ? value : null
  }
  return { phone: field('phone'), lid: field('lid') }
}

/**
 * Writes an inbound message: contact, conversation, message, media. Delivered any number of times, at once, from any
 * number of processes, it is one row. One that asks to be written to no more, or again, is heeded and confirmed. An edit
 * (`kind`) changes the message it is about; while that is not here it stands for itself.
 * @returns the message's id, the first one's when it was there already
 * @throws AppError `person_erased` when it is of before the person was erased
 */
export async function receiveMessage(
  ctx: BusinessContext,
  message: InboundMessage,
  how: ReceiveOptions = {},
): Promise<string> {
  const input = cleanDeep(message)
  // A word of consent brings a change and an answer with it: it goes the long way.
  const consents = !how.own && !how.history && !how.group && readConsentWord(input.body) !== null
  const change = input.kind === 'edit' && input.replyTo ? changeOf(input, input.replyTo, how.own === true) : null
  if (!how.own && !consents && !change && input.media.length === 0) {
    const written = await receiveMessageFastPath(ctx, input, {
      id: how.id,
      isNews: !how.history,
      isUnread: !how.history && countsAsUnread(input),
    }).catch((error: unknown) => {
      // Somebody else wrote it meanwhile, or merged the contact; the steps below find out.
      if (isOvertaken(error)) return null
      throw error
    })
    if (written) return written
  }
  const at = new Date(input.at)
  const { id, media, confirmation, files } = await ctx.db.transaction(async (tx) => {
    // The lock serialises duplicates, so that only the first one touches contact and conversation.
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${receiveLock(ctx, input)}, 0)),
      ${changeLockSql(ctx, change?.providerMessageId ?? input.providerMessageId)}`)
    const [earlier] = await tx
      .select({ id: messages.id })
      .from(messages)
      .where(
        and(
          eq(messages.businessId, ctx.businessId),
          how.own && !how.list
            ? or(
                eq(messages.dedupeKey, input.dedupeKey),
                and(
                  eq(messages.provider, input.provider),
                  eq(messages.providerMessageId, input.providerMessageId),
                  eq(messages.direction, 'out'),
                ),
              )
            : eq(messages.dedupeKey, input.dedupeKey),
        ),
      )
    const replaced = earlier ? await removePlaceholder(tx, ctx, earlier.id, input) : false
    if (earlier && !replaced)
      return { id: earlier.id, media: await pendingMedia(tx, ctx, earlier.id), confirmation: null, files: [] }
    if (change) {
      const { id, files } = await applyChange(tx, ctx, change)
      if (id) return { id, media: [], confirmation: null, files }
    }

    const identities = identitiesOf(input.from)
    await lockIdentities(tx, ctx, identities)
    await refuseErased(tx, ctx, identities, at)
    const contactId = await resolveContact(tx, ctx, input.from)
    const conversationId = await openConversation(tx, ctx, contactId, {
      at,
      inbound: !how.own && !how.history,
      // A placeholder was counted when it came.
      unread: !replaced && countsAsUnread(input),
      ...(how.history ? { old: true } : {}),
    })
    // In the place of its placeholder: whoever holds that id finds the message.
    const messageId = (replaced ? earlier?.id : undefined) ?? how.id ?? newId()
    await tx.insert(messages).values({
      id: messageId,
      businessId: ctx.businessId,
      conversationId,
      contactId,
      direction: how.own ? 'out' : 'in',
      provider: input.provider,
      accountId: input.accountId ?? null,
      kind: input.kind,
      status: how.own ? 'sent' : 'received',
      ...(how.own ? { sentAt: at } : {}),
      body: input.body,
      providerMessageId: input.providerMessageId,
      dedupeKey: input.dedupeKey,
      replyTo: input.replyTo ?? null,
      data: input.data ?? null,
      secret: input.secret ?? null,
      occurredAt: at,
    })
    const rows = input.media.map((item, index) => ({
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
    if (rows.length > 0) await tx.insert(messageMedia).values(rows)
    const early = {
      provider: input.provider,
      accountId: input.accountId ?? null,
      direction: how.own ? ('out' as const) : ('in' as const),
      providerMessageId: input.providerMessageId,
      contact: input.from,
      contactId,
    }
    const files = change ? [] : await applyEarlyChanges(tx, ctx, messageId, early)
    await auditOnly(tx, ctx, { action: 'message.receive', entity: 'message', entityId: messageId })
    await emitMessage(tx, ctx, 'message.receive', messageId)
    const confirmation =
      consents &&
      (await applyConsentWord(tx, ctx, {
        id: messageId,
        contactId,
        conversationId,
        provider: input.provider,
        accountId: input.accountId ?? null,
        body: input.body,
        phone: input.from.phone,
      }))
    return {
      id: messageId,
      media: rows.filter((row) => row.sourceUrl !== null).map((row) => row.id),
      confirmation,
      files,
    }
  })
  await queueDeletions(ctx, files)
  if (confirmation) await enqueueSend(ctx, confirmation, input)
  // What only the linked account can fetch, its own process does.
  const byJob = input.media.some(({ url }) => url !== null && !url.startsWith(WHATSAPP_MEDIA_SCHEME))
  for (const mediaId of byJob ? media : [])
    await ctx.enqueue('message.fetch_media', { businessId: ctx.businessId, mediaId }, { jobId: `media-${mediaId}` })
  return id
}

/** Files of a message that no job has fetched yet: a crash between commit and enqueue is made good by the retry. */
async function pendingMedia(
  tx: Parameters<Parameters<BusinessContext['db']['transaction']>[0]>[0],
  ctx: BusinessContext,
  messageId: string,
): Promise<string[]> {
  const rows = await tx
    .select({ id: messageMedia.id })
    .from(messageMedia)
    .where(
      sql`${messageMedia.businessId} = ${ctx.businessId} and ${messageMedia.messageId} = ${messageId} and ${messageMedia.state} = 'pending'`,
    )
  return rows.map((row) => row.id)
}
