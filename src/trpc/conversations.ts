import { z } from 'zod'
import {
  assignConversation,
  closeConversation,
  conversationFilters,
  conversationView,
  getConversation,
  listConversations,
  markConversation,
  reopenConversation,
  snoozeConversation,
} from '../domain/conversations/index.ts'
import { timePageInput } from '../domain/paging-by-time.ts'
import { readTimeline, timelinePage } from '../domain/timeline/index.ts'
import { businessProcedure, pageOf, router } from './trpc.ts'

const id = z.object({ id: z.uuid() })

export const conversationsRouter = router({
  list: businessProcedure
    .input(conversationFilters.prefault({}))
    .output(pageOf(conversationView))
    .query(({ ctx, input }) => listConversations(ctx.business, input)),
  get: businessProcedure
    .input(id)
    .output(conversationView)
    .query(({ ctx, input }) => getConversation(ctx.business, input.id)),
  /** Everything that happened with a contact, newest first. */
  timeline: businessProcedure
    .input(timePageInput.extend({ contactId: z.uuid() }))
    .output(timelinePage)
    .query(({ ctx, input: { contactId, ...page } }) => readTimeline(ctx.business, contactId, page)),
  assign: businessProcedure
    .input(id.extend({ assigneeId: z.string().min(1).max(64).nullable() }))
    .output(conversationView)
    .mutation(({ ctx, input }) => assignConversation(ctx.business, input.id, input.assigneeId)),
  close: businessProcedure
    .input(id)
    .output(conversationView)
    .mutation(({ ctx, input }) => closeConversation(ctx.business, input.id)),
  reopen: businessProcedure
    .input(id)
    .output(conversationView)
    .mutation(({ ctx, input }) => reopenConversation(ctx.business, input.id)),
  snooze: businessProcedure
    .input(id.extend({ until: z.iso.datetime({ offset: true }) }))
    .output(conversationView)
    .mutation(({ ctx, input }) => snoozeConversation(ctx.business, input.id, new Date(input.until))),
  mark: businessProcedure
    .input(id.extend({ unread: z.boolean() }))
    .output(conversationView)
    .mutation(({ ctx, input }) => markConversation(ctx.business, input.id, input.unread)),
})
