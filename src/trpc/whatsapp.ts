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
import { businessProcedure, done, OK, router } from './trpc.ts'

const account = z.object({ id: z.uuid() })
/** The number as the member saw it: should another one have linked the account meanwhile, nothing is done. */
const linkedNumber = account.extend({ phone: z.string().max(64) })

/** The codes link whoever scans or types them: only who may link an account gets to see them. */
function visibleTo(access: Access, view: LinkView): LinkView {
  return reaches(access, PERMISSIONS['whatsapp.link'])
    ? view
    : { ...view, qr: null, qrExpiresAt: null, pairingCode: null }
}

/** The business's WhatsApp accounts that are linked like a phone's companion. */
export const whatsappRouter = router({
  list: businessProcedure
    .output(z.array(linkView))
    .query(async ({ ctx }) => (await listLinks(ctx.business)).map((view) => visibleTo(ctx.business.access, view))),
  /** How one account stands, with the QR code or pairing code that is to be used now. */
  status: businessProcedure
    .input(account)
    .output(linkView)
    .query(async ({ ctx, input }) => visibleTo(ctx.business.access, await getLink(ctx.business, input.id))),
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
  /** Accepts another number than the expected one, which linked the account (`confirmationNeeded`): what waits is sent. */
  confirm: businessProcedure
    .input(linkedNumber)
    .output(linkView)
    .mutation(({ ctx, input }) => confirmNumber(ctx.business, input.id, input.phone)),
  /** Refuses the number that linked the account: it is unlinked. */
  refuse: businessProcedure
    .input(linkedNumber)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await refuseNumber(ctx.business, input.id, input.phone)
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
