import { z } from 'zod'
import {
  addChannel,
  alertDeliveryView,
  alertDetail,
  alertFilters,
  alertKindView,
  alertView,
  CODE_WAYS,
  changeChannel,
  channelChanges,
  channelView,
  confirmPhone,
  deliveryFilters,
  escalationSettings,
  getAlert,
  getEscalation,
  getMemberAlerts,
  listAlertDeliveries,
  listAlertKinds,
  listAlerts,
  listChannels,
  listMemberAlerts,
  MEMBER_WAYS,
  memberAlertSettings,
  memberAlertView,
  memberWhoAsks,
  newChannel,
  phoneCode,
  removeChannel,
  saveEscalation,
  saveMemberAlerts,
  seeIncident,
  sendPhoneCode,
  takeIncident,
  testChannel,
  testWay,
} from '../domain/alerts/index.ts'
import { getBusiness } from '../domain/businesses/index.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

const TAG = 'Notifications'
const sentTests = z.object({ deliveryIds: z.array(z.uuid()) })

/** Telling people what matters: who is notified of what and how, what was sent, and who takes care of it. */
export const alertsRouter = router({
  kinds: businessProcedure
    .meta({
      openapi: { method: 'GET', path: '/alerts/kinds', tag: TAG, summary: 'List everything that is worth telling' },
    })
    .output(pageOf(alertKindView))
    .query(() => onePage(listAlertKinds())),
  list: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/alerts',
        tag: TAG,
        summary: 'List what was sent, the newest first',
        description: 'One entry for each thing that happened or is wrong, however many members were notified of it.',
      },
    })
    .input(alertFilters)
    .output(pageOf(alertView))
    .query(({ ctx, input }) => listAlerts(ctx.business, input)),
  get: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/alerts/{id}',
        tag: TAG,
        summary: 'Get an alert with its deliveries and the steps of its escalation',
      },
    })
    .input(byId)
    .output(alertDetail)
    .query(({ ctx, input }) => getAlert(ctx.business, input.id)),
  take: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/alerts/{id}/take',
        tag: TAG,
        summary: 'Take care of an alert',
        description:
          'It is not escalated any more, and all who were notified hear who takes care of it. The first stays.',
        example: { id: '0199a5f0-7c00-7000-8000-000000000001', answer: 'done' },
      },
    })
    .input(byId.extend({ answer: z.enum(['done', 'call_back']).default('done') }))
    .output(alertView)
    .mutation(async ({ ctx, input }) => {
      const { id, answer } = input
      await takeIncident(ctx.business, id, { by: memberWhoAsks(ctx.business), how: 'console', answer }, new Date())
      return await getAlert(ctx.business, id)
    }),
  see: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/alerts/{id}/see',
        tag: TAG,
        summary: 'Note that a member looked at an alert',
        description: 'It is not escalated any more.',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await seeIncident(ctx.business, input.id, memberWhoAsks(ctx.business), new Date())
      return OK
    }),
  deliveries: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/alerts/deliveries',
        tag: TAG,
        summary: 'List who was notified by which way, and how that went',
      },
    })
    .input(deliveryFilters)
    .output(pageOf(alertDeliveryView))
    .query(({ ctx, input }) => listAlertDeliveries(ctx.business, input)),
  mine: businessProcedure
    .meta({
      openapi: { method: 'GET', path: '/alerts/settings', tag: TAG, summary: 'Get how you are notified' },
    })
    .output(memberAlertView)
    .query(async ({ ctx }) => {
      const defaults = await getBusiness(ctx.business)
      return await getMemberAlerts(ctx.business, memberWhoAsks(ctx.business), ctx.services.alerts.reach, defaults)
    }),
  saveMine: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/alerts/settings',
        tag: TAG,
        summary: 'Set how you are notified',
        description: 'What is not given stays. `rules` replaces all rules: a kind that is missing has the defaults.',
        example: {
          phone: '050-1234567',
          rules: { missed_call: ['push', 'whatsapp'] },
          quietFrom: '22:00',
          quietTo: '07:00',
        },
      },
    })
    .input(memberAlertSettings)
    .output(memberAlertView)
    .mutation(async ({ ctx, input }) => {
      const defaults = await getBusiness(ctx.business)
      const userId = memberWhoAsks(ctx.business)
      await saveMemberAlerts(ctx.business, userId, input, defaults, new Date())
      return await getMemberAlerts(ctx.business, userId, ctx.services.alerts.reach, defaults)
    }),
  sendCode: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/alerts/phone-codes',
        tag: TAG,
        summary: 'Send a code to your own number',
        description: 'Alerts go to a number by WhatsApp, SMS and call once it is verified with the code.',
      },
    })
    .input(z.object({ way: z.enum(CODE_WAYS) }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await sendPhoneCode(ctx.business, memberWhoAsks(ctx.business), input.way, ctx.services.alerts, new Date())
      return OK
    }),
  confirmPhone: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/alerts/phone-codes/confirm',
        tag: TAG,
        summary: 'Verify your own number',
        example: { code: '012345' },
      },
    })
    .input(z.object({ code: phoneCode }))
    .output(memberAlertView)
    .mutation(async ({ ctx, input }) => {
      const userId = memberWhoAsks(ctx.business)
      await confirmPhone(ctx.business, userId, input.code, new Date())
      return await getMemberAlerts(ctx.business, userId, ctx.services.alerts.reach, await getBusiness(ctx.business))
    }),
  test: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/alerts/test',
        tag: TAG,
        summary: 'Send yourself a test by one way',
        description: 'The states of the deliveries tell how it went.',
      },
    })
    .input(z.object({ way: z.enum(MEMBER_WAYS) }))
    .output(sentTests)
    .mutation(async ({ ctx, input }) => ({
      deliveryIds: await testWay(ctx.business, input.way, ctx.services.alerts.reach, new Date()),
    })),
  members: businessProcedure
    .meta({
      openapi: { method: 'GET', path: '/alerts/members', tag: TAG, summary: 'List who is notified of what and how' },
    })
    .output(pageOf(memberAlertView))
    .query(async ({ ctx }) =>
      onePage(await listMemberAlerts(ctx.business, ctx.services.alerts.reach, await getBusiness(ctx.business))),
    ),
  saveMember: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/alerts/members/{userId}',
        tag: TAG,
        summary: 'Set how a member is notified',
        example: { userId: '0199a5f0-7c00-7000-8000-000000000001', rules: { lead: ['push', 'email'] } },
      },
    })
    .input(memberAlertSettings.extend({ userId: z.string().min(1).max(64) }))
    .output(memberAlertView)
    .mutation(async ({ ctx, input }) => {
      const { userId, ...settings } = input
      const defaults = await getBusiness(ctx.business)
      await saveMemberAlerts(ctx.business, userId, settings, defaults, new Date())
      return await getMemberAlerts(ctx.business, userId, ctx.services.alerts.reach, defaults)
    }),
  channels: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/alerts/channels',
        tag: TAG,
        summary: 'List the chats and programs that are notified',
      },
    })
    .output(pageOf(channelView))
    .query(async ({ ctx }) => onePage(await listChannels(ctx.business))),
  addChannel: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/alerts/channels',
        tag: TAG,
        summary: 'Tell Slack, Telegram or any URL',
        description:
          'A URL gets signed JSON (Standard Webhooks); the secret to check it with is answered this once. Public addresses only.',
        example: {
          target: { way: 'slack', url: 'https://hooks.slack.com/services/T0/B0/x' },
          label: '#office',
          language: 'he',
        },
      },
    })
    .input(newChannel)
    .output(channelView.extend({ secret: z.string().nullable() }))
    .mutation(({ ctx, input }) => addChannel(ctx.business, input, ctx.services.alerts)),
  changeChannel: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/alerts/channels/{id}',
        tag: TAG,
        summary: 'Change what a channel is notified',
        example: { id: '0199a5f0-7c00-7000-8000-000000000001', enabled: false },
      },
    })
    .input(channelChanges.extend({ id: z.uuid() }))
    .output(channelView)
    .mutation(({ ctx, input: { id, ...changes } }) => changeChannel(ctx.business, id, changes)),
  removeChannel: businessProcedure
    .meta({
      openapi: { method: 'DELETE', path: '/alerts/channels/{id}', tag: TAG, summary: 'Tell a channel no more' },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeChannel(ctx.business, input.id, ctx.services.alerts)
      return OK
    }),
  testChannel: businessProcedure
    .meta({
      openapi: { method: 'POST', path: '/alerts/channels/{id}/test', tag: TAG, summary: 'Send a channel a test' },
    })
    .input(byId)
    .output(sentTests)
    .mutation(async ({ ctx, input }) => ({ deliveryIds: await testChannel(ctx.business, input.id, new Date()) })),
  escalation: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/alerts/escalation',
        tag: TAG,
        summary: 'Get who is notified next when no one reacts',
      },
    })
    .output(escalationSettings)
    .query(({ ctx }) => getEscalation(ctx.business)),
  saveEscalation: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/alerts/escalation',
        tag: TAG,
        summary: 'Set who is notified next when no one reacts',
        description:
          'The minutes count from the alert. A telephone call asks for a key: an answering machine takes nothing.',
        example: {
          steps: [{ userId: '0199a5f0-7c00-7000-8000-000000000001', ways: ['call'], afterMinutes: 10 }],
          kinds: ['urgent_message'],
        },
      },
    })
    .input(escalationSettings)
    .output(escalationSettings)
    .mutation(({ ctx, input }) => saveEscalation(ctx.business, input)),
})
