import { z } from 'zod'
import {
  agentPause,
  agentRunFilters,
  agentRunView,
  agentSettingsChange,
  agentSettingsView,
  agentStateView,
  answerNow,
  contactMemory,
  discardDraft,
  draftSend,
  getAgentSettings,
  getAgentState,
  getContactMemory,
  listAgentRuns,
  pauseAgent,
  resumeAgent,
  saveAgentSettings,
  sendDraft,
  turnAgentOff,
} from '../domain/agent/index.ts'
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

/** The agent that answers WhatsApp. */
export const agentRouter = router({
  state: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/conversations/{id}/agent',
        tag: 'Conversations',
        summary: 'Get how the agent stands to a conversation',
      },
    })
    .input(byId)
    .output(agentStateView)
    .query(({ ctx, input }) => getAgentState(ctx.business, input.id)),
  pause: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/conversations/{id}/agent/pause',
        tag: 'Conversations',
        summary: 'Pause the agent in a conversation',
        description: '`until`: a time; null until it is given back; left out, as long as the business pauses it.',
        example: { until: '2030-01-15T09:00:00+02:00' },
      },
    })
    .input(byId.extend(agentPause.shape))
    .output(agentStateView)
    .mutation(({ ctx, input: { id, ...pause } }) => pauseAgent(ctx.business, id, pause)),
  resume: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/conversations/{id}/agent/resume',
        tag: 'Conversations',
        summary: 'Give a conversation back to the agent',
        description: 'It answers what is written from now on.',
      },
    })
    .input(byId)
    .output(agentStateView)
    .mutation(({ ctx, input }) => resumeAgent(ctx.business, input.id)),
  turnOff: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/conversations/{id}/agent/turn-off',
        tag: 'Conversations',
        summary: 'Turn the agent off for a contact',
        description: 'Until the conversation is given back.',
      },
    })
    .input(byId)
    .output(agentStateView)
    .mutation(({ ctx, input }) => turnAgentOff(ctx.business, input.id)),
  answer: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/conversations/{id}/agent/answer',
        tag: 'Conversations',
        summary: 'Have the agent answer now',
        description: 'What no one has answered since the business last wrote. It is given the conversation back.',
      },
    })
    .input(byId)
    .output(agentStateView)
    .mutation(({ ctx, input }) => answerNow(ctx.business, input.id)),
  memory: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/contacts/{id}/memory',
        tag: 'Contacts',
        summary: 'Get what the agent knows of a contact',
        description: 'In calls and in writing. It is read anew each time and kept nowhere else.',
      },
    })
    .input(byId)
    .output(contactMemory)
    .query(({ ctx, input }) => getContactMemory(ctx.business, input.id)),
  runs: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/conversations/{conversationId}/agent/runs',
        tag: 'Conversations',
        summary: 'List what the agent did in a conversation',
        description: 'Newest first, with its tools, where its facts come from, times and costs; kept for 90 days.',
      },
    })
    .input(agentRunFilters)
    .output(pageOf(agentRunView))
    .query(({ ctx, input }) => listAgentRuns(ctx.business, input)),
  sendDraft: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/agent-drafts/{id}/send',
        tag: 'Conversations',
        summary: 'Send a draft of the agent',
        description: 'As it stands, or with the text that is given.',
        example: { text: 'We are open until six.' },
      },
    })
    .input(draftSend)
    .output(z.object({ id: z.uuid(), status: z.string() }))
    .mutation(({ ctx, input }) => sendDraft(ctx.business, input, ctx.settings)),
  discardDraft: businessProcedure
    .meta({
      openapi: {
        method: 'DELETE',
        path: '/agent-drafts/{id}',
        tag: 'Conversations',
        summary: 'Discard a draft of the agent',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await discardDraft(ctx.business, input.id)
      return OK
    }),
  settings: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/agent-settings',
        tag: 'Receptionist',
        summary: 'Get how the agent answers WhatsApp',
      },
    })
    .output(agentSettingsView)
    .query(({ ctx }) => getAgentSettings(ctx.business)),
  saveSettings: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/agent-settings',
        tag: 'Receptionist',
        summary: 'Change how the agent answers WhatsApp',
        description: 'What is left out stays. Turned on, it answers what comes from then on.',
        example: {
          enabled: true,
          settleSeconds: 4,
          answers: 'closed',
          handoverTopics: ['refund'],
          masked: ['id_number'],
        },
      },
    })
    .input(agentSettingsChange)
    .output(agentSettingsView)
    .mutation(({ ctx, input }) => saveAgentSettings(ctx.business, input)),
})
