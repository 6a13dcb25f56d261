import { tracked } from '@trpc/server'
import { z } from 'zod'
import { eventView, listEvents } from '../domain/events/index.ts'
import { businessProcedure, pageOf, router } from './trpc.ts'

const pageOfEvents = z.object({
  cursor: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

const subscription = z.object({
  lastEventId: z.string().max(40).nullish(),
  /** Types such as `call.live` or `message.*`. All, when left out. */
  types: z.array(z.string().max(80)).max(50).optional(),
})

const RESET = { id: '', type: 'stream.reset', entity: 'stream', entityId: '', actorKind: 'system', data: null } as const

const streamItem = z.union([
  z.object({ id: z.string(), data: eventView }),
  z.object({
    id: z.literal(RESET.id),
    type: z.literal(RESET.type),
    entity: z.literal(RESET.entity),
    entityId: z.literal(RESET.entityId),
    actorKind: z.literal(RESET.actorKind),
    data: z.null(),
  }),
])

export const eventsRouter = router({
  list: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/events',
        tag: 'Events',
        summary: 'List events',
        description: 'Newest first.',
        example: { cursor: '1042' },
      },
    })
    .input(pageOfEvents.prefault({}))
    .output(pageOf(eventView))
    .query(({ ctx, input }) => listEvents(ctx.business, input)),
  stream: businessProcedure
    .meta({
      stream: {
        item: streamItem,
        summary:
          'Events as they are committed. A client that reconnects with its last id continues after it, on any server. `stream.reset` means that the id is too old: read everything again.',
      },
    })
    .input(subscription.prefault({}))
    .subscription(async function* ({ ctx, input }) {
      const wanted = (type: string) =>
        !input.types || input.types.includes(type) || input.types.includes(`${type.split('.')[0]}.*`)
      for await (const item of ctx.services.events.subscribe(ctx.business, input.lastEventId ?? null, ctx.closing)) {
        if (item.kind === 'reset') yield RESET
        else if (wanted(item.event.type)) yield tracked(item.event.id, eventView.parse(item.event))
      }
    }),
})
