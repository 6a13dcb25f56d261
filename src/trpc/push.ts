import { z } from 'zod'
import { testDevice } from '../domain/alerts/index.ts'
import {
  addPushDevice,
  changePushDevice,
  deviceView,
  ensurePushKeys,
  getPushSettings,
  listPushDevices,
  newDevice,
  PUSH_KINDS,
  pushSettingsView,
  removePushDevice,
  savePushSettings,
} from '../domain/push/index.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

export const pushRouter = router({
  key: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/push/key',
        tag: 'Notifications',
        summary: 'Get the key to subscribe with',
        description: 'The `applicationServerKey` of a browser’s `pushManager.subscribe`.',
      },
    })
    .output(z.object({ publicKey: z.string() }))
    .query(async ({ ctx }) => ({ publicKey: (await ensurePushKeys(ctx.business, ctx.services.push)).publicKey })),
  devices: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/push/devices',
        tag: 'Notifications',
        summary: 'List your own devices',
        description: 'Devices belong to a member: an API key has none and is refused.',
      },
    })
    .output(pageOf(deviceView))
    .query(async ({ ctx }) => onePage(await listPushDevices(ctx.business))),
  subscribe: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/push/devices',
        tag: 'Notifications',
        summary: 'Notify a device',
        description: 'A browser that was there already gets the new settings; from another member it is taken.',
        example: {
          subscription: {
            endpoint: 'https://push.example.com/send/abc',
            // The keys of RFC 8291, appendix A.
            keys: {
              p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
              auth: 'BTBZMqHH6r4Tts7J_aSIgg',
            },
          },
          label: 'Chrome on Android',
          language: 'he',
        },
      },
    })
    .input(newDevice)
    .output(deviceView)
    .mutation(({ ctx, input }) => addPushDevice(ctx.business, ctx.services.push, input)),
  change: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/push/devices/{id}',
        tag: 'Notifications',
        summary: 'Choose what a device is notified of',
      },
    })
    .input(byId.extend({ kinds: z.array(z.enum(PUSH_KINDS)).max(PUSH_KINDS.length) }))
    .output(deviceView)
    .mutation(({ ctx, input }) => changePushDevice(ctx.business, input)),
  unsubscribe: businessProcedure
    .meta({
      openapi: {
        method: 'DELETE',
        path: '/push/devices/{id}',
        tag: 'Notifications',
        summary: 'Notify a device no more',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removePushDevice(ctx.business, input.id)
      return OK
    }),
  test: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/push/devices/{id}/test',
        tag: 'Notifications',
        summary: 'Send a device a notification to try it',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await testDevice(ctx.business, input.id, new Date())
      return OK
    }),
  settings: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/push/settings',
        tag: 'Notifications',
        summary: 'Get what notifications may contain',
      },
    })
    .output(pushSettingsView)
    .query(({ ctx }) => getPushSettings(ctx.business)),
  saveSettings: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/push/settings',
        tag: 'Notifications',
        summary: 'Set what notifications may contain',
        description: 'Without `showText` they name a person and say what happened, not what was written.',
      },
    })
    .input(pushSettingsView)
    .output(pushSettingsView)
    .mutation(({ ctx, input }) => savePushSettings(ctx.business, input)),
})
