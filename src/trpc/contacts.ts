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
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

const tagChanges = byId.extend({
  add: z.array(tag).max(50).default([]),
  remove: z.array(tag).max(50).default([]),
})

export const contactsRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/contacts', tag: 'Contacts', summary: 'List contacts' } })
    .input(contactFilters.prefault({}))
    .output(pageOf(contactView))
    .query(({ ctx, input }) => listContacts(ctx.business, input)),
  get: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/contacts/{id}', tag: 'Contacts', summary: 'Get a contact' } })
    .input(byId)
    .output(contactView)
    .query(({ ctx, input }) => getContact(ctx.business, input.id)),
  create: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/contacts',
        tag: 'Contacts',
        summary: 'Create a contact',
        description: 'With an `id` chosen by the client, a repeated request creates one contact.',
        example: { phone: '+972501234567', name: 'Noa Levi', email: 'noa@example.com', tags: ['vip'], custom: {} },
        status: 201,
      },
    })
    .input(newContact)
    .output(contactView)
    .mutation(({ ctx, input }) => createContact(ctx.business, input)),
  update: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/contacts/{id}',
        tag: 'Contacts',
        summary: 'Change a contact',
        description: 'Fields that are left out stay as they are. In `custom`, null removes a field.',
        example: { name: 'Noa Levi', phone: '+972501234567', email: null, custom: { birthday: '1990-04-01' } },
      },
    })
    .input(contactChanges.extend({ id: z.uuid() }))
    .output(contactView)
    .mutation(({ ctx, input: { id, ...changes } }) => updateContact(ctx.business, id, changes)),
  merge: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/contacts/{id}/merge',
        tag: 'Contacts',
        summary: 'Merge a duplicate into a contact',
        description: 'Everything of the duplicate moves to the contact, and the duplicate is deleted.',
        example: { duplicateId: '01900000-0000-7000-8000-000000000001' },
      },
    })
    .input(byId.extend({ duplicateId: z.uuid() }))
    .output(contactView)
    .mutation(({ ctx, input }) => mergeContacts(ctx.business, input.id, input.duplicateId)),
  repair: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/contacts/repair',
        tag: 'Contacts',
        summary: 'Repair phone numbers of contacts',
        description: 'Merges contacts that have one number in two spellings and removes numbers that are not valid.',
      },
    })
    .output(repairReport)
    .mutation(({ ctx }) => repairContacts(ctx.business)),
  tags: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/contacts/tags',
        tag: 'Contacts',
        summary: 'List tags',
        description: 'Each tag with the number of its contacts.',
      },
    })
    .output(pageOf(z.object({ tag: z.string(), contacts: z.number() })))
    .query(async ({ ctx }) => onePage(await listTags(ctx.business))),
  tag: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/contacts/{id}/tags',
        tag: 'Contacts',
        summary: 'Add and remove tags of a contact',
        example: { add: ['vip'], remove: ['new'] },
      },
    })
    .input(tagChanges)
    .output(contactView)
    .mutation(({ ctx, input }) => tagContact(ctx.business, input.id, { add: input.add, remove: input.remove })),
  optOut: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/contacts/{id}/opt-out',
        tag: 'Contacts',
        summary: 'Set whether a contact opted out of messages',
        example: { optedOut: true },
      },
    })
    .input(byId.extend({ optedOut: z.boolean() }))
    .output(contactView)
    .mutation(({ ctx, input }) => setOptOut(ctx.business, input.id, input.optedOut)),
  notes: businessProcedure
    .meta({
      openapi: { method: 'GET', path: '/contacts/{id}/notes', tag: 'Contacts', summary: 'List the notes of a contact' },
    })
    .input(pageInput.extend(byId.shape))
    .output(pageOf(noteView))
    .query(({ ctx, input: { id, ...page } }) => listNotes(ctx.business, { ...page, contactId: id })),
  addNote: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/contacts/{id}/notes',
        tag: 'Contacts',
        summary: 'Add a note to a contact',
        description: 'With a `noteId` chosen by the client, a repeated request creates one note.',
        example: { body: 'Prefers to be called in the morning.' },
        status: 201,
      },
    })
    .input(byId.extend({ noteId: z.uuid().optional(), body: noteBody }))
    .output(noteView)
    .mutation(({ ctx, input: { id: contactId, noteId, body } }) =>
      addNote(ctx.business, { contactId, body, ...(noteId ? { id: noteId } : {}) }),
    ),
  editNote: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/notes/{id}',
        tag: 'Contacts',
        summary: 'Edit a note',
        example: { body: 'Prefers to be called in the evening.' },
      },
    })
    .input(byId.extend({ body: noteBody }))
    .output(noteView)
    .mutation(({ ctx, input }) => editNote(ctx.business, input.id, input.body)),
  removeNote: businessProcedure
    .meta({ openapi: { method: 'DELETE', path: '/notes/{id}', tag: 'Contacts', summary: 'Delete a note' } })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeNote(ctx.business, input.id)
      return OK
    }),
})
