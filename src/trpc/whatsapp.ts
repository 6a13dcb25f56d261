import { z } from 'zod'
import {
  accountSettings,
  changeAccountSettings,
  createAccount,
  deleteAccount,
  getLink,
  linkView,
  listLinks,
  logoutAccount,
  requestLink,
  restartAccount,
} from '../domain/whatsapp/index.ts'
import { businessProcedure, done, OK, router } from './trpc.ts'

const account = z.object({ id: z.uuid() })

/** The business's WhatsApp accounts that are linked like a phone's companion. */
export const whatsappRouter = router({
  list: businessProcedure.output(z.array(linkView)).query(({ ctx }) => listLinks(ctx.business)),
  /** How one account stands, with the QR code or pairing code that is to be used now. */
  status: businessProcedure
    .input(account)
    .output(linkView)
    .query(({ ctx, input }) => getLink(ctx.business, input.id)),
  /** A new account, which shows a QR code a moment later. */
  create: businessProcedure
    .input(accountSettings.prefault({}))
    .output(linkView)
    .mutation(({ ctx, input }) => createAccount(ctx.business, input)),
  /** Asks for a QR code, or, with the own number, for a code to type on the phone. */
  link: businessProcedure
    .input(account.extend({ phone: z.string().max(64).optional() }))
    .output(done)
    .mutation(async ({ ctx, input: { id, phone } }) => {
      await requestLink(ctx.business, id, phone === undefined ? {} : { phone })
      return OK
    }),
  restart: businessProcedure
    .input(account)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await restartAccount(ctx.business, input.id)
      return OK
    }),
  /** `done: false` when no worker has done it within some seconds; it is done as soon as one can. */
  logout: businessProcedure
    .input(account)
    .output(z.object({ done: z.boolean() }))
    .mutation(({ ctx, input }) => logoutAccount(ctx.business, input.id)),
  delete: businessProcedure
    .input(account)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await deleteAccount(ctx.business, input.id)
      return OK
    }),
  settings: businessProcedure
    .input(account.extend(accountSettings.shape))
    .output(linkView)
    .mutation(({ ctx, input: { id, ...settings } }) => changeAccountSettings(ctx.business, id, settings)),
})
