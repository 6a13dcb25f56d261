import { and, eq } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { notes } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { requiredText } from '../../lib/text.ts'
import { audit, type BusinessContext } from '../context.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import { lockContact } from './queries.ts'

export const noteBody = requiredText(10_000)

export const noteView = z.object({
  id: z.uuid(),
  contactId: z.uuid(),
  authorKind: z.string(),
  authorId: z.string(),
  body: z.string(),
  createdAt: z.date(),
  updatedAt: z.date(),
})

export async function listNotes(ctx: BusinessContext, input: z.input<typeof pageInput> & { contactId: string }) {
  const page = pageInput.parse(input)
  const query = pageQuery(notes.id, page, eq(notes.businessId, ctx.businessId), eq(notes.contactId, input.contactId))
  const rows = await ctx.db.select().from(notes).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(rows, page.limit)
}

/** Writes a private note; asked again with the same id, it stays one. @throws AppError `contact_not_found` */
export async function addNote(ctx: BusinessContext, input: { id?: string; contactId: string; body: string }) {
  return await ctx.db.transaction((tx) => addNoteWithin(tx, ctx, input))
}

export async function addNoteWithin(
  tx: Executor,
  ctx: BusinessContext,
  input: { id?: string; contactId: string; body: string },
) {
  const id = input.id ?? newId()
  await lockContact(tx, ctx, input.contactId)
  const [made] = await tx
    .insert(notes)
    .values({
      id,
      businessId: ctx.businessId,
      contactId: input.contactId,
      authorKind: ctx.actor.kind,
      authorId: ctx.actor.id,
      body: noteBody.parse(input.body),
    })
    .onConflictDoNothing()
    .returning()
  if (made) {
    await audit(tx, ctx, { action: 'note.add', entity: 'note', entityId: id, data: { contactId: input.contactId } })
    return made
  }
  const [earlier] = await tx
    .select()
    .from(notes)
    .where(and(eq(notes.id, id), eq(notes.businessId, ctx.businessId)))
  if (!earlier) throw new AppError('conflict', 'id_taken', 'This id is taken; choose another.', { field: 'id' })
  return earlier
}

/** @throws AppError `note_not_found` */
export async function editNote(ctx: BusinessContext, id: string, body: string) {
  return await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .update(notes)
      .set({ body: noteBody.parse(body) })
      .where(and(eq(notes.id, id), eq(notes.businessId, ctx.businessId)))
      .returning()
    if (!row) throw noNote()
    await audit(tx, ctx, { action: 'note.edit', entity: 'note', entityId: id, data: { contactId: row.contactId } })
    return row
  })
}

/** @throws AppError `note_not_found` */
export async function removeNote(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .delete(notes)
      .where(and(eq(notes.id, id), eq(notes.businessId, ctx.businessId)))
      .returning({ contactId: notes.contactId })
    if (!row) throw noNote()
    await audit(tx, ctx, { action: 'note.remove', entity: 'note', entityId: id, data: { contactId: row.contactId } })
  })
}

function noNote() {
  return new AppError('not_found', 'note_not_found', 'There is no such note.')
}
