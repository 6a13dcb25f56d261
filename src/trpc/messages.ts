import { z } from 'zod'
import {
  getMessage,
  listMessages,
  messageFilters,
  messageTaken,
  messageView,
  requestMessage,
  sendRequest,
} from '../domain/messages/index.ts'
import { businessProcedure, pageOf, router } from './trpc.ts'

export const messagesRouter = router({
  list: businessProcedure
    .input(messageFilters.prefault({}))
    .output(pageOf(messageView))
    .query(({ ctx, input }) => listMessages(ctx.business, input)),
  get: businessProcedure
    .input(z.object({ id: z.uuid() }))
    .output(messageView)
    .query(({ ctx, input }) => getMessage(ctx.business, input.id)),
  /** Queues a WhatsApp message; answered once it is safe. */
  send: businessProcedure
    .input(sendRequest)
    .output(messageTaken)
    .mutation(({ ctx, input }) => requestMessage(ctx.business, input, ctx.settings)),
})
