import { z } from 'zod'
import { getContact, listContacts } from '../domain/contacts/index.ts'
import { pageInput } from '../domain/paging.ts'
import { businessProcedure, router } from './trpc.ts'

export const contactsRouter = router({
  list: businessProcedure.input(pageInput.prefault({})).query(({ ctx, input }) => listContacts(ctx.business, input)),
  get: businessProcedure
    .input(z.object({ id: z.uuid() }))
    .query(({ ctx, input }) => getContact(ctx.business, input.id)),
})
