import { z } from 'zod'
import { setWhatsAppProviders } from '../domain/businesses/index.ts'
import {
  accountSettings,
  changeAccountSettings,
  createAccount,
  deleteAccount,
  getLink,
  listLinks,
  logoutAccount,
  requestLink,
  restartAccount,
} from '../domain/whatsapp/index.ts'
import { businessProcedure, router } from './trpc.ts'

const account = z.object({ id: z.uuid() })
const provider = z.enum(['twilio', 'baileys'])

/** The business's WhatsApp accounts that are linked like a phone's companion. */
export const whatsappRouter = router({
  list: businessProcedure.query(({ ctx }) => listLinks(ctx.business)),
  /** How one account stands, with the QR code or pairing code that is to be used now. */
  status: businessProcedure.input(account).query(({ ctx, input }) => getLink(ctx.business, input.id)),
  /** A new account, which shows a QR code a moment later. */
  create: businessProcedure
    .input(accountSettings.prefault({}))
    .mutation(({ ctx, input }) => createAccount(ctx.business, input)),
  /** Asks for a QR code, or, with the own number, for a code to type on the phone. */
  link: businessProcedure
    .input(account.extend({ phone: z.string().max(64).optional() }))
    .mutation(({ ctx, input: { id, phone } }) => requestLink(ctx.business, id, phone === undefined ? {} : { phone })),
  restart: businessProcedure.input(account).mutation(({ ctx, input }) => restartAccount(ctx.business, input.id)),
  logout: businessProcedure.input(account).mutation(({ ctx, input }) => logoutAccount(ctx.business, input.id)),
  delete: businessProcedure.input(account).mutation(({ ctx, input }) => deleteAccount(ctx.business, input.id)),
  settings: businessProcedure
    .input(account.extend(accountSettings.shape))
    .mutation(({ ctx, input: { id, ...settings } }) => changeAccountSettings(ctx.business, id, settings)),
  /** By which provider messages go, and by which when that one surely cannot take them. */
  providers: businessProcedure
    .input(z.object({ default: provider.optional(), fallback: provider.nullable().optional() }))
    .mutation(({ ctx, input }) => setWhatsAppProviders(ctx.business, input)),
})
