import { and, arrayOverlaps, desc, eq, inArray, isNull, lt, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { earlyDeletions, messageMedia, messages } from '../../../db/schema/index.ts'
import { sha256Hex } from '../../lib/ids.ts'
import { type ContactIdentity, identitiesOf, resolveContact } from '../contacts/index.ts'
import { auditOnly, type BusinessContext, type DomainContext } from '../context.ts'
import { noteFiles, queueDeletions } from '../erasures/index.ts'
import { lockSql } from '../locks.ts'
import { emitMessage } from './message-event.ts'

export type ChangedMessage = {
  provider: 'twilio' | 'baileys'
  accountId?: string | null
  direction: 'in' | 'out'
  providerMessageId: string
  contact: ContactIdentity
  author?: { phone?: string | null; lid?: string | null } | null
  at: Date
  /** The new text; null when the message was taken back. */
  text: string | null
}

type MessageRef = Pick<ChangedMessage, 'provider' | 'accountId' | 'direction' | 'providerMessageId'>

function theMessage(ctx: BusinessContext, ref: MessageRef): SQL | undefined {
  return and(
    eq(messages.businessId, ctx.businessId),
    eq(messages.provider, ref.provider),
    ref.accountId ? eq(messages.accountId, ref.accountId) : isNull(messages.accountId),
    eq(messages.providerMessageId, ref.providerMessageId),
    eq(messages.direction, ref.direction),
  )
}

/** Under this lock a message is written, changed and taken back: whichever comes first, the other finds it. */
export function changeLockSql(ctx: BusinessContext, providerMessageId: string): SQL {
  return lockSql(`change:${ctx.businessId}:${providerMessageId}`)
}

/** Applies the writer's own edit or deletion, once; newer edits and deletions win. @returns whether the message is there */
export async function changeMessage(ctx: BusinessContext, change: ChangedMessage): Promise<boolean> {
  const { id, files } = await ctx.db.transaction(async (tx) => {
    await tx.execute(sql`select ${changeLockSql(ctx, change.providerMessageId)}`)
    return await applyChange(tx, ctx, change)
  })
  await queueDeletions(ctx, files)
  return id !== null
}

/** @returns the message's id, null when it is not here, and the deletions to queue after the commit */
export async function applyChange(
  tx: Executor,
  ctx: BusinessContext,
  change: ChangedMessage,
): Promise<{ id: string | null; files: string[] }> {
  const nothing = { id: null, files: [] }
  // A change of a message that is not stored makes no contact.
  const [any] = await tx.select({ id: messages.id }).from(messages).where(theMessage(ctx, change)).limit(1)
  if (!any) return nothing
  const contactId = await resolveContact(tx, ctx, change.contact)
  const [there] = await tx
    .select()
    .from(messages)
    .where(and(theMessage(ctx, change), eq(messages.contactId, contactId)))
    .limit(1)
  if (!there || !isAuthor(there.data?.author, change)) return nothing
  const done = { id: there.id, files: [] }
  if (there.deletedAt || there.kind === 'deleted') return done
  if (change.text === null) return { ...done, files: await takeBack(tx, ctx, there.id, change.at) }
  if (there.editedAt && there.editedAt > change.at) return done
  if (there.body === change.text && there.editedAt?.getTime() === change.at.getTime()) return done
  await tx.update(messages).set({ body: change.text, editedAt: change.at }).where(eq(messages.id, there.id))
  await auditOnly(tx, ctx, { action: 'message.edit', entity: 'message', entityId: there.id })
  await emitMessage(tx, ctx, 'message.edit', there.id)
  return done
}

/** In a group only the author edits; an administrator may take back what others wrote. */
function isAuthor(author: unknown, change: ChangedMessage): boolean {
  if (change.text === null || !change.author || typeof author !== 'object' || author === null) return true
  const same = (name: 'phone' | 'lid') => {
    const [theirs, ours] = [change.author?.[name], Reflect.get(author, name)]
    return theirs && ours ? theirs === ours : null
  }
  return (same('phone') ?? same('lid') ?? true) === true
}

/** Empties a message, its files and what its events said of it. @returns the deletions to queue after the commit */
async function takeBack(tx: Executor, ctx: BusinessContext, messageId: string, at: Date): Promise<string[]> {
  const files = await noteFiles(tx, ctx, [], [messageId])
  await tx
    .delete(messageMedia)
    .where(and(eq(messageMedia.messageId, messageId), eq(messageMedia.businessId, ctx.businessId)))
  await tx
    .update(messages)
    .set({
      kind: 'deleted',
      body: '',
      outboundMedia: null,
      deletedAt: at,
      // By its list a row of a broadcast is still known as one of several with the same id.
      data: sql`jsonb_strip_nulls(jsonb_build_object('author', ${messages.data}->'author',
        'broadcastList', ${messages.data}->'broadcastList'))`,
    })
    .where(and(eq(messages.id, messageId), eq(messages.businessId, ctx.businessId)))
  await tx.execute(sql`update events set data = data - 'body' - 'media' - 'transcript'
    where entity = 'message' and entity_id = ${messageId} and business_id = ${ctx.businessId}`)
  await auditOnly(tx, ctx, { action: 'message.delete', entity: 'message', entityId: messageId })
  await emitMessage(tx, ctx, 'message.delete', messageId)
  return files
}

/** Applies a deletion; one that comes before its message is kept without personal data. */
export async function takeDeletion(ctx: BusinessContext, change: ChangedMessage): Promise<void> {
  if (await changeMessage(ctx, change)) return
  await ctx.db.insert(earlyDeletions).values({
    businessId: ctx.businessId,
    provider: change.provider,
    accountId: change.accountId ?? null,
    direction: change.direction,
    providerMessageId: change.providerMessageId,
    writers: fingerprintsOf(change.contact),
    deletedAt: change.at,
  })
  // The message may have been written between the two.
  if (await changeMessage(ctx, change))
    await ctx.db
      .delete(earlyDeletions)
      .where(
        and(
          eq(earlyDeletions.businessId, ctx.businessId),
          eq(earlyDeletions.providerMessageId, change.providerMessageId),
        ),
      )
}

/** Whether something came before a message of this provider id that it is about: for the statement that writes it. */
export function hasEarlyChangesSql(ctx: BusinessContext, providerMessageId: string): SQL {
  return sql`(exists (select from ${earlyDeletions} as early
      where early.business_id = ${ctx.businessId} and early.provider_message_id = ${providerMessageId})
    or exists (select from ${messages} as early where early.business_id = ${ctx.businessId}
      and early.reply_to = ${providerMessageId} and early.kind = 'edit'))`
}

/** Applies edits and deletions that came before their message. @returns the deletions to queue after the commit */
export async function applyEarlyChanges(
  tx: Executor,
  ctx: BusinessContext,
  messageId: string,
  message: MessageRef & { contact: ContactIdentity; contactId: string },
): Promise<string[]> {
  const edits = await tx
    .select()
    .from(messages)
    .where(
      and(
        eq(messages.businessId, ctx.businessId),
        eq(messages.replyTo, message.providerMessageId),
        eq(messages.kind, 'edit'),
        eq(messages.contactId, message.contactId),
        eq(messages.direction, message.direction),
      ),
    )
    .orderBy(desc(messages.occurredAt), desc(messages.id))
  const [newest] = edits
  if (newest) {
    await tx.update(messages).set({ body: newest.body, editedAt: newest.occurredAt }).where(eq(messages.id, messageId))
    await tx.delete(messages).where(
      inArray(
        messages.id,
        edits.map((edit) => edit.id),
      ),
    )
  }
  const writers = fingerprintsOf(message.contact)
  if (writers.length === 0) return []
  const [deletion] = await tx
    .delete(earlyDeletions)
    .where(
      and(
        eq(earlyDeletions.businessId, ctx.businessId),
        eq(earlyDeletions.provider, message.provider),
        message.accountId ? eq(earlyDeletions.accountId, message.accountId) : isNull(earlyDeletions.accountId),
        eq(earlyDeletions.direction, message.direction),
        eq(earlyDeletions.providerMessageId, message.providerMessageId),
        arrayOverlaps(earlyDeletions.writers, writers),
      ),
    )
    .returning()
  return deletion ? await takeBack(tx, ctx, messageId, deletion.deletedAt) : []
}

const KEPT_MS = 30 * 86_400_000

/** Forgets deletions whose message did not come within a month. @returns how many */
export async function pruneEarlyDeletions(ctx: DomainContext): Promise<number> {
  const gone = await ctx.db
    .delete(earlyDeletions)
    .where(lt(earlyDeletions.createdAt, new Date(Date.now() - KEPT_MS)))
    .returning({ id: earlyDeletions.id })
  return gone.length
}

function fingerprintsOf(contact: ContactIdentity): string[] {
  return identitiesOf(contact).map(({ kind, value }) => sha256Hex(`${kind}:${value}`))
}
