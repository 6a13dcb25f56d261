import { z } from 'zod'
import { getMessage, listMessages, messageFilters, requestMessage, sendRequest } from '../domain/messages/index.ts'
import { businessProcedure, router } from './trpc.ts'

export const messagesRouter = router({
  list: businessProcedure
    .input(messageFilters.prefault({}))
    .query(({ ctx, input }) => listMessages(ctx.business, input)),
  get: businessProcedure
    .input(z.object({ id: z.uuid() }))
    .query(({ ctx, input }) => getMessage(ctx.business, input.id)),
  /** Queues a WhatsApp message; answered once it is safe. */
  send: businessProcedure
    .input(sendRequest)
    .mutation(({ ctx, input }) => requestMessage(ctx.business, input, ctx.settings)),
})
