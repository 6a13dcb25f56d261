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
import { businessProcedure, byId, pageOf, router } from './trpc.ts'

export const conversationsRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/conversations', tag: 'Conversations', summary: 'List conversations' } })
    .input(conversationFilters.prefault({}))
    .output(pageOf(conversationView))
    .query(({ ctx, input }) => listConversations(ctx.business, input)),
  get: businessProcedure
    .meta({
      openapi: { method: 'GET', path: '/conversations/{id}', tag: 'Conversations', summary: 'Get a conversation' },
    })
    .input(byId)
    .output(conversationView)
    .query(({ ctx, input }) => getConversation(ctx.business, input.id)),
  mark: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/conversations/{id}',
        tag: 'Conversations',
        summary: 'Mark a conversation as read or unread',
        example: { unread: false },
      },
    })
    .input(byId.extend({ unread: z.boolean() }))
    .output(conversationView)
    .mutation(({ ctx, input }) => markConversation(ctx.business, input.id, input.unread)),
  assign: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/conversations/{id}/assignee',
        tag: 'Conversations',
        summary: 'Assign a conversation',
        description: '`assigneeId` is the user id of a member; null removes the assignment.',
        example: { assigneeId: null },
      },
    })
    .input(byId.extend({ assigneeId: z.string().min(1).max(64).nullable() }))
    .output(conversationView)
    .mutation(({ ctx, input }) => assignConversation(ctx.business, input.id, input.assigneeId)),
  close: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/conversations/{id}/close',
        tag: 'Conversations',
        summary: 'Close a conversation',
        description: 'A new message of the contact opens it again.',
      },
    })
    .input(byId)
    .output(conversationView)
    .mutation(({ ctx, input }) => closeConversation(ctx.business, input.id)),
  reopen: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/conversations/{id}/reopen',
        tag: 'Conversations',
        summary: 'Reopen a conversation',
      },
    })
    .input(byId)
    .output(conversationView)
    .mutation(({ ctx, input }) => reopenConversation(ctx.business, input.id)),
  snooze: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/conversations/{id}/snooze',
        tag: 'Conversations',
        summary: 'Snooze a conversation',
        description: 'Hides the conversation until the given time.',
        example: { until: '2030-01-15T09:00:00+02:00' },
      },
    })
    .input(byId.extend({ until: z.iso.datetime({ offset: true }) }))
    .output(conversationView)
    .mutation(({ ctx, input }) => snoozeConversation(ctx.business, input.id, new Date(input.until))),
  timeline: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/contacts/{contactId}/timeline',
        tag: 'Contacts',
        summary: 'Get the timeline of a contact',
        description: 'Calls, messages, leads, notes and payments of the contact, newest first.',
      },
    })
    .input(timePageInput.extend({ contactId: z.uuid() }))
    .output(timelinePage)
    .query(({ ctx, input: { contactId, ...page } }) => readTimeline(ctx.business, contactId, page)),
})
