import { z } from 'zod'
import {
  addFeed,
  conflictView,
  connectByForm,
  connectionChanges,
  connectionInput,
  connectionView,
  decideChange,
  feedView,
  getConnection,
  listConflicts,
  listConnections,
  listFeeds,
  removeConnection,
  removeFeed,
  syncNow,
  updateConnection,
} from '../domain/calendars/index.ts'
import { AppError } from '../lib/errors.ts'
import type { RestMeta } from './rest-meta.ts'
import { businessProcedure, byId, done, OK, onePage, router } from './trpc.ts'

function route(
  method: RestMeta['method'],
  path: RestMeta['path'],
  summary: string,
  more: Pick<RestMeta, 'description' | 'example' | 'status'> = {},
) {
  const openapi: RestMeta = { method, path, tag: 'Calendars', summary, ...more }
  return { openapi }
}

export const calendarsRouter = router({
  list: businessProcedure
    .meta(route('GET', '/calendar-connections', 'List connected calendars'))
    .output(z.object({ items: z.array(connectionView), nextCursor: z.null() }))
    .query(async ({ ctx }) => onePage(await listConnections(ctx.business))),
  get: businessProcedure
    .meta(route('GET', '/calendar-connections/{id}', 'Get a connected calendar'))
    .input(byId)
    .output(connectionView)
    .query(({ ctx, input }) => getConnection(ctx.business, input.id)),
  vendors: businessProcedure
    .meta(
      route('GET', '/calendar-vendors', 'List the vendors at which calendars are connected by a login', {
        description:
          'A browser that is logged in opens /calendars/oauth/{kind}?business={id} and comes back connected.',
      }),
    )
    .output(z.object({ items: z.array(z.enum(['google', 'microsoft'])), nextCursor: z.null() }))
    .query(({ ctx }) => {
      const { vendors } = ctx.services.calendars.deps
      return onePage((['google', 'microsoft'] as const).filter((kind) => vendors[kind]))
    }),
  connect: businessProcedure
    .meta(
      route('POST', '/calendar-connections', 'Connect a calendar by CalDAV or a feed', {
        description: 'It is read once before it is connected. A feed is only read; `webcal://` is taken as https.',
        example: { kind: 'ics', url: 'https://calendar.example.com/dana.ics' },
        status: 201,
      }),
    )
    .input(connectionInput)
    .output(connectionView)
    .mutation(async ({ ctx, input }) => {
      const id = await connectByForm(ctx.business, input, ctx.services.calendars.deps)
      return await getConnection(ctx.business, id)
    }),
  update: businessProcedure
    .meta(
      route('PATCH', '/calendar-connections/{id}', 'Change what is read and written of a connected calendar', {
        description:
          'What is left out stays. `onChange` says what happens when an appointment is moved or deleted there.',
        example: { onChange: 'ask', notifyCustomer: true },
      }),
    )
    .input(byId.extend(connectionChanges.shape))
    .output(connectionView)
    .mutation(async ({ ctx, input: { id, ...changes } }) => {
      await updateConnection(ctx.business, id, changes)
      return await getConnection(ctx.business, id)
    }),
  remove: businessProcedure
    .meta(
      route('DELETE', '/calendar-connections/{id}', 'Disconnect a calendar', {
        description: 'What was written there stays there; nothing of it is busy here any more.',
      }),
    )
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeConnection(ctx.business, input.id, ctx.services.calendars.deps)
      return OK
    }),
  sync: businessProcedure
    .meta(route('POST', '/calendar-connections/{id}/sync', 'Read a connected calendar now'))
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      if (!(await syncNow(ctx.business, input.id)))
        throw new AppError('not_found', 'calendar_not_found', 'There is no such connected calendar.')
      return OK
    }),
  conflicts: businessProcedure
    .meta(
      route('GET', '/calendar-conflicts', 'List where calendars outside and appointments disagree', {
        description: 'What overlaps, and what a person moved or deleted outside and the business decides.',
      }),
    )
    .output(z.object({ items: z.array(conflictView), nextCursor: z.null() }))
    .query(async ({ ctx }) => onePage(await listConflicts(ctx.business))),
  decide: businessProcedure
    .meta(
      route('POST', '/calendar-conflicts/{id}/decide', 'Decide about a change outside', {
        description: '`apply` moves or cancels the appointment too; `keep` writes it there again.',
        example: { decision: 'keep' },
      }),
    )
    .input(byId.extend({ decision: z.enum(['apply', 'keep']) }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await decideChange(ctx.business, input.id, input.decision)
      return OK
    }),
  feeds: businessProcedure
    .meta(route('GET', '/calendar-feeds', 'List the addresses under which calendar programs read appointments'))
    .output(z.object({ items: z.array(feedView), nextCursor: z.null() }))
    .query(async ({ ctx }) => onePage(await listFeeds(ctx.business, ctx.services.calendars.feedLinks))),
  addFeed: businessProcedure
    .meta(
      route('POST', '/calendar-feeds', 'Make an address under which calendar programs read appointments', {
        description: 'Of one person, or of everybody. Who has the address reads them: it can be revoked.',
        example: { staffId: '01900000-0000-7000-8000-000000000000' },
        status: 201,
      }),
    )
    .input(z.object({ staffId: z.uuid().optional() }))
    .output(z.object({ id: z.uuid(), url: z.string() }))
    .mutation(async ({ ctx, input }) => {
      const id = await addFeed(ctx.business, input.staffId ?? null)
      return { id, url: ctx.services.calendars.feedLinks.urlOf(id) }
    }),
  removeFeed: businessProcedure
    .meta(route('DELETE', '/calendar-feeds/{id}', 'Revoke the address of a feed'))
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeFeed(ctx.business, input.id)
      return OK
    }),
})
