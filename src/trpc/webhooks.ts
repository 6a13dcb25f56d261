import { z } from 'zod'
import { pageInput } from '../domain/paging.ts'
import {
  addEndpoint,
  deliveryView,
  endpointSettings,
  endpointView,
  listDeliveries,
  listEndpoints,
  removeEndpoint,
  replayDelivery,
  updateEndpoint,
} from '../domain/webhooks/index.ts'
import { businessProcedure, done, OK, pageOf, router } from './trpc.ts'

const id = z.object({ id: z.uuid() })
const eventId = z.string().regex(/^\d{1,18}$/)

export const webhooksRouter = router({
  list: businessProcedure
    .input(pageInput.prefault({}))
    .output(pageOf(endpointView))
    .query(({ ctx, input }) => listEndpoints(ctx.business, input)),
  /** The signing secret is answered this once. */
  create: businessProcedure
    .input(endpointSettings.extend({ id: z.uuid().optional() }))
    .output(endpointView.extend({ secret: z.string() }))
    .mutation(({ ctx, input: { id, ...settings } }) =>
      addEndpoint(ctx.business, { ...settings, ...(id ? { id } : {}) }, ctx.services.webhookBox),
    ),
  /** Settings that are not given stay as they are. */
  update: businessProcedure
    .input(
      id.extend({
        url: endpointSettings.shape.url.optional(),
        description: z.string().trim().max(200).nullable().optional(),
        types: endpointSettings.shape.types.unwrap().optional(),
        enabled: z.boolean().optional(),
      }),
    )
    .output(endpointView)
    .mutation(({ ctx, input: { id, ...changes } }) =>
      updateEndpoint(
        ctx.business,
        id,
        Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)),
      ),
    ),
  remove: businessProcedure
    .input(id)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeEndpoint(ctx.business, input.id)
      return OK
    }),
  deliveries: businessProcedure
    .input(
      id.extend({
        state: z.enum(['pending', 'delivered', 'failed']).optional(),
        cursor: eventId.optional(),
        limit: z.coerce.number().int().min(1).max(200).default(50),
      }),
    )
    .output(pageOf(deliveryView))
    .query(({ ctx, input }) => listDeliveries(ctx.business, input)),
  /** Delivers an event once more. */
  replay: businessProcedure
    .input(id.extend({ eventId }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await replayDelivery(ctx.business, { endpointId: input.id, eventId: input.eventId })
      return OK
    }),
})
