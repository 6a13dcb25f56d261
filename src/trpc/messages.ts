import { z } from 'zod'
import {
  getMessage,
  handleMessage,
  listMessages,
  messageFilters,
  messageTaken,
  messageView,
  requestMessage,
  sendRequest,
} from '../domain/messages/index.ts'
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

export const messagesRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/messages', tag: 'Messages', summary: 'List messages' } })
    .input(messageFilters.prefault({}))
    .output(pageOf(messageView))
    .query(({ ctx, input }) => listMessages(ctx.business, input)),
  get: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/messages/{id}', tag: 'Messages', summary: 'Get a message' } })
    .input(byId)
    .output(messageView)
    .query(({ ctx, input }) => getMessage(ctx.business, input.id)),
  handle: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/messages/{id}/handle',
        tag: 'Messages',
        summary: 'Set a failed message aside',
        description: 'It waits for no one any more. `handled: false` takes it back.',
        example: { handled: true },
      },
    })
    .input(byId.extend({ handled: z.boolean() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await handleMessage(ctx.business, input.id, input.handled)
      return OK
    }),
  send: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/messages',
        tag: 'Messages',
        summary: 'Send a WhatsApp message',
        description:
          'Stores the message and queues it. A request with the same idempotency key, in the body or in the header `Idempotency-Key`, returns the first message.',
        example: {
          to: '+972501234567',
          text: 'Your order is ready.',
          provider: 'twilio',
          replyTo: '01900000-0000-7000-8000-000000000000',
          idempotencyKey: 'order-1042-ready',
        },
        status: 202,
      },
    })
    .input(sendRequest)
    .output(messageTaken)
    .mutation(({ ctx, input }) => requestMessage(ctx.business, input, ctx.settings)),
})
