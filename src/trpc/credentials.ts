import { z } from 'zod'
import {
  CREDENTIAL_PROVIDERS,
  credentialsInput,
  credentialsView,
  listCredentials,
  removeCredentials,
  setCredentials,
} from '../domain/credentials/index.ts'
import { businessProcedure, done, OK, router } from './trpc.ts'

/** The business's own keys at its providers; those that it has not are the installation's. */
export const credentialsRouter = router({
  /** For which providers there are any, and what they are told by; never the keys. */
  list: businessProcedure
    .output(z.object({ items: z.array(credentialsView) }))
    .query(async ({ ctx }) => ({ items: await listCredentials(ctx.business) })),
  /** Set again, they replace those there were. */
  set: businessProcedure
    .input(credentialsInput)
    .output(credentialsView)
    .mutation(({ ctx, input }) => setCredentials(ctx.business, ctx.services.keyring, input)),
  remove: businessProcedure
    .input(z.object({ provider: z.enum(CREDENTIAL_PROVIDERS) }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeCredentials(ctx.business, ctx.services.keyring, input.provider)
      return OK
    }),
})
