import { tracked } from '@trpc/server'
import { z } from 'zod'
import { eventView, listEvents } from '../domain/events/index.ts'
import { businessProcedure, pageOf, router } from './trpc.ts'

export const eventsRouter = router({
  /** The latest events, newest first. */
  list: businessProcedure
    .input(
      z
        .object({
          cursor: z
            .string()
            .regex(/^\d{1,18}$/)
            .optional(),
          limit: z.coerce.number().int().min(1).max(200).default(50),
        })
        .prefault({}),
    )
    .output(pageOf(eventView))
    .query(({ ctx, input }) => listEvents(ctx.business, input)),
  /**
   * Events as they are committed. Reconnecting with the last id goes on right behind it, on whichever server; `stream.reset`
   * says that this place is no longer kept and everything is to be read anew.
   */
  stream: businessProcedure
    .input(
      z
        .object({
          lastEventId: z.string().max(40).nullish(),
          /** Types such as `call.live` or `message.*`; left out, all. */
          types: z.array(z.string().max(80)).max(50).optional(),
        })
        .prefault({}),
    )
    .subscription(async function* ({ ctx, input }) {
      const wanted = (type: string) =>
        !input.types || input.types.includes(type) || input.types.includes(`${type.split('.')[0]}.*`)
      for await (const item of ctx.services.events.subscribe(ctx.business, input.lastEventId ?? null, ctx.closing)) {
        if (item.kind === 'reset') yield RESET
        else if (wanted(item.event.type)) yield tracked(item.event.id, eventView.parse(item.event))
      }
    }),
})

const RESET = { id: '', type: 'stream.reset', entity: 'stream', entityId: '', actorKind: 'system', data: null } as const
