import { z } from 'zod'
import {
  decideMessage,
  getMessage,
  handleMessage,
  listMessages,
  listTemplates,
  messageFilters,
  messageTaken,
  messageView,
  reaction,
  reactToMessage,
  requestMessage,
  sendRequest,
  templateView,
} from '../domain/messages/index.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

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
  decide: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/messages/{id}/outcome',
        tag: 'Messages',
        summary: 'Decide about a message of unknown outcome',
        description: '`arrived` marks it as sent; otherwise it is sent again.',
        example: { arrived: true },
      },
    })
    .input(byId.extend({ arrived: z.boolean() }))
    .output(messageView)
    .mutation(({ ctx, input }) => decideMessage(ctx.business, input.id, input.arrived)),
  react: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/messages/{id}/reaction',
        tag: 'Messages',
        summary: 'React to a message',
        description:
          'With one emoji, to a message that came to a linked account; it replaces the last one, and null takes it back. Twilio takes no reactions: `reaction_not_supported` (409).',
        example: { emoji: '👍' },
      },
    })
    .input(byId.extend(reaction.shape))
    .output(messageView)
    .mutation(({ ctx, input: { id, emoji } }) => reactToMessage(ctx.business, id, { emoji })),
  templates: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/messages/templates',
        tag: 'Messages',
        summary: 'List the approved WhatsApp templates',
        description: 'Those of the business’s Twilio account.',
      },
    })
    .output(pageOf(templateView))
    .query(async ({ ctx }) =>
      onePage(await listTemplates(ctx.business, ctx.services.templatesOf(ctx.business.businessId))),
    ),
})
