import { and, eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { contacts, messageMedia, messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { furtherNumber, resolveContact } from '../contacts/index.ts'
import { auditOnly, type BusinessContext } from '../context.ts'
import { openConversation } from '../conversations/index.ts'
import { keepFiles, refuseErasedCall } from '../erasures/index.ts'
import { emitMessage } from './message-event.ts'
import type { AskedMessage } from './request-message-fast-path.ts'
import { rowOfUpload, type SentUpload, uploadKey } from './uploads.ts'

/** What else is written with a message. */
export type InTransaction = (
  tx: Executor,
  written: { contactId: string; conversationId: string; messageId: string },
) => Promise<void>

type Part = AskedMessage & Pick<typeof messages.$inferInsert, 'partOf' | 'part'> & { upload?: SentUpload | null }

/**
 * Writes a message or its parts in one transaction, of the call with SID `ofCall`; a property test holds the fast path to
 * these steps. @returns the first part, or the one with the same idempotency key @throws AppError `contact_opted_out`,
 * `person_erased`, `upload_expired`
 */
export async function requestMessageInSteps(
  ctx: BusinessContext,
  phone: string,
  parts: readonly Part[],
  ofCall: string | null = null,
  inTransaction?: InTransaction,
) {
  const [first, ...more] = parts
  if (!first) throw new Error('A message has at least one part.')
  const message = await ctx.db.transaction(async (tx) => {
    const contactId = await resolveContact(tx, ctx, { phone })
    // Checked again under the contact's lock: without it the message would bring an erased person back.
    if (ofCall) await refuseErasedCall(tx, ofCall)
    const [contact] = await tx
      .select({ optedOutAt: contacts.optedOutAt, phone: contacts.phone })
      .from(contacts)
      .where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId)))
    if (contact?.optedOutAt)
      throw new AppError('forbidden', 'contact_opted_out', 'This person asked not to be written to.', { field: 'to' })
    const conversationId = await openConversation(tx, ctx, contactId, { at: first.occurredAt, inbound: false })
    // The conversation's row is locked from here on: whoever writes to it comes before or after, never meanwhile.
    await inTransaction?.(tx, { contactId, conversationId, messageId: first.id })
    const toPhone = furtherNumber(phone, contact?.phone ?? null)
    const toContact = { toPhone, businessId: ctx.businessId, conversationId, contactId } as const
    const insert = ({ upload: _, ...part }: Part) =>
      tx
        .insert(messages)
        .values({ ...part, ...toContact, direction: 'out', status: 'queued' })
        .onConflictDoNothing()
        .returning({ id: messages.id, status: messages.status, requestHash: messages.requestHash })
    const [made] = await insert(first)
    // Another request used the same key between the look-up and the insert.
    if (!made) return findByKey(tx, ctx, first.idempotencyKey ?? '')
    for (const part of more) await insert(part)
    await takeUploads(tx, ctx, parts)
    for (const { id: entityId, provider } of parts) {
      await auditOnly(tx, ctx, { action: 'message.request', entity: 'message', entityId, data: { provider } })
      await emitMessage(tx, ctx, 'message.request', entityId)
    }
    return made
  })
  if (!message) throw new Error('The message was neither written nor found.')
  return message
}

async function takeUploads(tx: Executor, ctx: BusinessContext, parts: readonly Part[]): Promise<void> {
  const taken = parts.flatMap(({ id, upload }) => (upload ? [{ messageId: id, upload }] : []))
  if (taken.length === 0) return
  const keys = taken.map(({ upload }) => uploadKey(upload))
  if (!(await keepFiles(tx, ctx, keys)) || new Set(keys).size < keys.length)
    throw new AppError('gone', 'upload_expired', 'The file was sent before or is no longer here. Upload it again.', {
      field: 'media',
    })
  await tx.insert(messageMedia).values(taken.map(({ messageId, upload }) => rowOfUpload(upload, messageId)))
}

export async function findByKey(db: Executor, ctx: BusinessContext, key: string) {
  const [row] = await db
    .select({ id: messages.id, status: messages.status, requestHash: messages.requestHash })
    .from(messages)
    .where(and(eq(messages.businessId, ctx.businessId), eq(messages.idempotencyKey, key)))
  return row ?? null
}
