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
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

const eventId = z.string().regex(/^\d{1,18}$/)

const endpointChanges = byId.extend({
  url: endpointSettings.shape.url.optional(),
  description: z.string().trim().max(200).nullable().optional(),
  types: endpointSettings.shape.types.unwrap().optional(),
  enabled: z.boolean().optional(),
})

const deliveryFilters = byId.extend({
  state: deliveryView.shape.state.optional(),
  cursor: eventId.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

export const webhooksRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/webhooks', tag: 'Webhooks', summary: 'List webhooks' } })
    .input(pageInput.prefault({}))
    .output(pageOf(endpointView))
    .query(({ ctx, input }) => listEndpoints(ctx.business, input)),
  create: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/webhooks',
        tag: 'Webhooks',
        summary: 'Create a webhook',
        description: 'The response is the only place where the signing secret is shown.',
        example: { url: 'https://example.com/hooks', types: ['call.end', 'message.*'] },
        status: 201,
      },
    })
    .input(endpointSettings.extend({ id: z.uuid().optional() }))
    .output(endpointView.extend({ secret: z.string() }))
    .mutation(({ ctx, input: { id, ...settings } }) =>
      addEndpoint(ctx.business, { ...settings, ...(id ? { id } : {}) }, ctx.services.webhookBox),
    ),
  update: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/webhooks/{id}',
        tag: 'Webhooks',
        summary: 'Change a webhook',
        description: 'Settings that are left out stay as they are.',
        example: { url: 'https://example.com/hooks', types: ['call.*'], enabled: true },
      },
    })
    .input(endpointChanges)
    .output(endpointView)
    .mutation(({ ctx, input: { id, ...changes } }) =>
      updateEndpoint(
        ctx.business,
        id,
        Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)),
      ),
    ),
  remove: businessProcedure
    .meta({ openapi: { method: 'DELETE', path: '/webhooks/{id}', tag: 'Webhooks', summary: 'Delete a webhook' } })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeEndpoint(ctx.business, input.id)
      return OK
    }),
  deliveries: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/webhooks/{id}/deliveries',
        tag: 'Webhooks',
        summary: 'List the deliveries of a webhook',
        example: { cursor: '1042' },
      },
    })
    .input(deliveryFilters)
    .output(pageOf(deliveryView))
    .query(({ ctx, input }) => listDeliveries(ctx.business, input)),
  replay: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/webhooks/{id}/deliveries/{eventId}/replay',
        tag: 'Webhooks',
        summary: 'Deliver an event again',
        example: { eventId: '1042' },
      },
    })
    .input(byId.extend({ eventId }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await replayDelivery(ctx.business, { endpointId: input.id, eventId: input.eventId })
      return OK
    }),
})
