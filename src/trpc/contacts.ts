import { z } from 'zod'
import {
  addNote,
  contactChanges,
  contactFilters,
  contactView,
  createContact,
  editNote,
  getContact,
  listContacts,
  listNotes,
  listTags,
  mergeContacts,
  newContact,
  noteBody,
  noteView,
  removeNote,
  repairContacts,
  repairReport,
  setOptOut,
  tag,
  tagContact,
  updateContact,
} from '../domain/contacts/index.ts'
import { pageInput } from '../domain/paging.ts'
import { businessProcedure, done, OK, pageOf, router } from './trpc.ts'

const id = z.object({ id: z.uuid() })

export const contactsRouter = router({
  list: businessProcedure
    .input(contactFilters.prefault({}))
    .output(pageOf(contactView))
    .query(({ ctx, input }) => listContacts(ctx.business, input)),
  get: businessProcedure
    .input(id)
    .output(contactView)
    .query(({ ctx, input }) => getContact(ctx.business, input.id)),
  create: businessProcedure
    .input(newContact)
    .output(contactView)
    .mutation(({ ctx, input }) => createContact(ctx.business, input)),
  /** Fields that are not given stay as they are. */
  update: businessProcedure
    .input(contactChanges.extend({ id: z.uuid() }))
    .output(contactView)
    .mutation(({ ctx, input: { id, ...changes } }) => updateContact(ctx.business, id, changes)),
  /** Everything of `goneId` moves to `id`. */
  merge: businessProcedure
    .input(id.extend({ goneId: z.uuid() }))
    .output(contactView)
    .mutation(({ ctx, input }) => mergeContacts(ctx.business, input.id, input.goneId)),
  /** Brings contacts together that are one person under two spellings of a number, and drops numbers that are none. */
  repair: businessProcedure.output(repairReport).mutation(({ ctx }) => repairContacts(ctx.business)),
  tag: businessProcedure
    .input(id.extend({ add: z.array(tag).max(50).default([]), remove: z.array(tag).max(50).default([]) }))
    .output(contactView)
    .mutation(({ ctx, input }) => tagContact(ctx.business, input.id, { add: input.add, remove: input.remove })),
  tags: businessProcedure
    .output(z.object({ items: z.array(z.object({ tag: z.string(), contacts: z.number() })) }))
    .query(async ({ ctx }) => ({ items: await listTags(ctx.business) })),
  /** Whether the person may be written to. */
  optOut: businessProcedure
    .input(id.extend({ optedOut: z.boolean() }))
    .output(contactView)
    .mutation(({ ctx, input }) => setOptOut(ctx.business, input.id, input.optedOut)),
  notes: businessProcedure
    .input(pageInput.extend({ id: z.uuid() }))
    .output(pageOf(noteView))
    .query(({ ctx, input: { id, ...page } }) => listNotes(ctx.business, { ...page, contactId: id })),
  addNote: businessProcedure
    .input(id.extend({ noteId: z.uuid().optional(), body: noteBody }))
    .output(noteView)
    .mutation(({ ctx, input }) =>
      addNote(ctx.business, {
        contactId: input.id,
        body: input.body,
        ...(input.noteId ? { id: input.noteId } : {}),
      }),
    ),
  editNote: businessProcedure
    .input(z.object({ noteId: z.uuid(), body: noteBody }))
    .output(noteView)
    .mutation(({ ctx, input }) => editNote(ctx.business, input.noteId, input.body)),
  removeNote: businessProcedure
    .input(z.object({ noteId: z.uuid() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeNote(ctx.business, input.noteId)
      return OK
    }),
})
