import { and, eq, or, sql } from 'drizzle-orm'
import { messageMedia, messages } from '../../../db/schema/index.ts'
import type { InboundMessage } from '../../jobs/registry.ts'
import { isOvertaken } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { WHATSAPP_MEDIA_SCHEME } from '../../providers/whatsapp/port.ts'
import { identitiesOf, lockIdentities, readConsentWord, resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { openConversation } from '../conversations/index.ts'
import { refuseErased } from '../erasures/index.ts'
import { applyConsentWord } from './consent.ts'
import { removePlaceholder } from './placeholder.ts'
import { receiveFromKnown, receiveLock } from './receive-known.ts'
import { startSending } from './start-sending.ts'

/**
 * Writes an inbound message: contact, conversation, message, media. Delivered any number of times, at once, from any
 * number of processes, it is one row. One that asks to be written to no more, or again, is heeded and confirmed.
 * @param how.own the business wrote it on its own phone: an outbound row; one that this product sent is left as it is
 * @param how.history from before the link: it is not news, and nothing is unread by it
 * @param how.group somebody wrote it to a group: what it asks, it asks of the group
 * @param how.id the row's id: a UUIDv7 of when it came
 * @returns the message's id, the first one's when it was there already
 * @throws AppError `person_erased` when it is of before the person was erased
 */
export async function receiveMessage(
  ctx: BusinessContext,
  input: InboundMessage,
  how: { own?: boolean; history?: boolean; group?: boolean; id?: string } = {},
): Promise<string> {
  // A word of consent brings a change and an answer with it: it goes the long way.
  const consents = !how.own && !how.history && !how.group && readConsentWord(input.body) !== null
  if (!how.own && !consents && input.media.length === 0) {
    const written = await receiveFromKnown(ctx, input, { id: how.id, counts: !how.history }).catch((error: unknown) => {
      // Somebody else wrote it meanwhile, or merged the contact; the steps below find out.
      if (isOvertaken(error)) return null
      throw error
    })
    if (written) return written
  }
  const at = new Date(input.at)
  const { id, media, confirmation } = await ctx.db.transaction(async (tx) => {
    // The lock serialises duplicates, so that only the first one touches contact and conversation.
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${receiveLock(ctx, input)}, 0))`)
    const [earlier] = await tx
      .select({ id: messages.id })
      .from(messages)
      .where(
        and(
          eq(messages.businessId, ctx.businessId),
          how.own
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
    if (earlier && !(await removePlaceholder(tx, ctx, earlier.id, input)))
      return { id: earlier.id, media: await pendingMedia(tx, ctx, earlier.id), confirmation: null }

    const identities = identitiesOf(input.from)
    await lockIdentities(tx, ctx, identities)
    await refuseErased(tx, ctx, identities, at)
    const contactId = await resolveContact(tx, ctx, input.from)
    const conversationId = await openConversation(tx, ctx, contactId, {
      at,
      inbound: !how.own && !how.history,
      ...(how.history ? { old: true } : {}),
    })
    const messageId = how.id ?? newId()
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
      sourceUrl: item.url,
      contentType: item.contentType,
      fileName: item.fileName ?? null,
      seconds: item.seconds == null ? null : Math.round(item.seconds),
      thumbnail: item.thumbnail ?? null,
      ...(item.url === null ? { state: 'unavailable' as const } : {}),
    }))
    if (rows.length > 0) await tx.insert(messageMedia).values(rows)
    await audit(tx, ctx, { action: 'message.receive', entity: 'message', entityId: messageId })
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
    return { id: messageId, media: rows.filter((row) => row.sourceUrl !== null).map((row) => row.id), confirmation }
  })
  if (confirmation) await startSending(ctx, confirmation, input)
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
