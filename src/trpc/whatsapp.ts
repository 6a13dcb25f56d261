import { z } from 'zod'
import type { Access } from '../access/authenticate.ts'
import { PERMISSIONS } from '../access/permissions.ts'
import { reaches } from '../access/require-access.ts'
import {
  accountSettings,
  changeAccountSettings,
  confirmNumber,
  createAccount,
  deleteAccount,
  getLink,
  type LinkView,
  linkView,
  listLinks,
  logoutAccount,
  refuseNumber,
  requestLink,
  restartAccount,
} from '../domain/whatsapp/index.ts'
import { businessProcedure, byId, done, OK, onePage, pageOf, router } from './trpc.ts'

/** With the number that the member saw: nothing happens when another number has linked the account since. */
const linkedNumber = byId.extend({ phone: z.string().max(64) })

const exampleSettings = { delivery: 'at-least-once', gapMs: 1_500, newContactsPerDay: 30 }

/** Anyone who sees a code can link their phone: only callers who may link an account get the codes. */
function hideCodes(access: Access, view: LinkView): LinkView {
  return reaches(access, PERMISSIONS['whatsapp.link'])
    ? view
    : { ...view, qr: null, qrExpiresAt: null, pairingCode: null }
}

export const whatsappRouter = router({
  list: businessProcedure
    .meta({
      openapi: { method: 'GET', path: '/whatsapp-accounts', tag: 'WhatsApp', summary: 'List linked WhatsApp accounts' },
    })
    .output(pageOf(linkView))
    .query(async ({ ctx }) =>
      onePage((await listLinks(ctx.business)).map((view) => hideCodes(ctx.business.access, view))),
    ),
  get: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/whatsapp-accounts/{id}',
        tag: 'WhatsApp',
        summary: 'Get a linked WhatsApp account',
        description: 'With its state. Callers who may link the account also get the current QR or pairing code.',
      },
    })
    .input(byId)
    .output(linkView)
    .query(async ({ ctx, input }) => hideCodes(ctx.business.access, await getLink(ctx.business, input.id))),
  create: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/whatsapp-accounts',
        tag: 'WhatsApp',
        summary: 'Add a WhatsApp account',
        description: 'The account shows a QR code a moment later.',
        example: exampleSettings,
        status: 201,
      },
    })
    .input(accountSettings.prefault({}))
    .output(linkView)
    .mutation(({ ctx, input }) => createAccount(ctx.business, input)),
  update: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/whatsapp-accounts/{id}',
        tag: 'WhatsApp',
        summary: 'Change the settings of a WhatsApp account',
        description: 'Settings that are left out stay as they are.',
        example: exampleSettings,
      },
    })
    .input(byId.extend(accountSettings.shape))
    .output(linkView)
    .mutation(({ ctx, input: { id, ...settings } }) => changeAccountSettings(ctx.business, id, settings)),
  remove: businessProcedure
    .meta({
      openapi: {
        method: 'DELETE',
        path: '/whatsapp-accounts/{id}',
        tag: 'WhatsApp',
        summary: 'Remove a WhatsApp account',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await deleteAccount(ctx.business, input.id)
      return OK
    }),
  link: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/whatsapp-accounts/{id}/link',
        tag: 'WhatsApp',
        summary: 'Link a WhatsApp account',
        description:
          'Requests a QR code or, with the account’s own number in `phone`, a pairing code to type on the phone.',
        example: { phone: '+972501234567' },
      },
    })
    .input(byId.extend({ phone: z.string().max(64).optional() }))
    .output(done)
    .mutation(async ({ ctx, input: { id, phone } }) => {
      await requestLink(ctx.business, id, phone === undefined ? {} : { phone })
      return OK
    }),
  confirm: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/whatsapp-accounts/{id}/confirm',
        tag: 'WhatsApp',
        summary: 'Confirm the number of a WhatsApp account',
        description:
          'Accepts the number in `phone`, which is not the expected one (`confirmationNeeded`). Waiting messages are then sent.',
        example: { phone: '+972501234567' },
      },
    })
    .input(linkedNumber)
    .output(linkView)
    .mutation(({ ctx, input }) => confirmNumber(ctx.business, input.id, input.phone)),
  refuse: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/whatsapp-accounts/{id}/refuse',
        tag: 'WhatsApp',
        summary: 'Refuse the number of a WhatsApp account',
        description: 'Unlinks the account from the number in `phone`.',
        example: { phone: '+972501234567' },
      },
    })
    .input(linkedNumber)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await refuseNumber(ctx.business, input.id, input.phone)
      return OK
    }),
  restart: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/whatsapp-accounts/{id}/restart',
        tag: 'WhatsApp',
        summary: 'Restart the connection of a WhatsApp account',
      },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await restartAccount(ctx.business, input.id)
      return OK
    }),
  logout: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/whatsapp-accounts/{id}/logout',
        tag: 'WhatsApp',
        summary: 'Log a WhatsApp account out',
        description: '`done` is false when no worker has logged the account out yet. The next worker does it.',
      },
    })
    .input(byId)
    .output(z.object({ done: z.boolean() }))
    .mutation(({ ctx, input }) => logoutAccount(ctx.business, input.id)),
})
