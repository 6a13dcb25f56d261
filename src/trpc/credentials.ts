import { z } from 'zod'
import {
  CREDENTIAL_PROVIDERS,
  credentialsInput,
  credentialsView,
  listCredentials,
  removeCredentials,
  setCredentials,
} from '../domain/credentials/index.ts'
import { businessProcedure, done, OK, onePage, pageOf, router } from './trpc.ts'

export const credentialsRouter = router({
  list: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/credentials',
        tag: 'Credentials',
        summary: 'List the business’s own provider credentials',
        description: 'The hint identifies the credentials. The secrets are never returned.',
      },
    })
    .output(pageOf(credentialsView))
    .query(async ({ ctx }) => onePage(await listCredentials(ctx.business))),
  set: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/credentials/{provider}',
        tag: 'Credentials',
        summary: 'Set the credentials for a provider',
        description: 'Replaces the credentials that the business had for this provider.',
        example: { provider: 'openai', keys: { apiKey: 'sk-example' } },
      },
    })
    .input(credentialsInput)
    .output(credentialsView)
    .mutation(({ ctx, input }) => setCredentials(ctx.business, ctx.services.keyring, input)),
  remove: businessProcedure
    .meta({
      openapi: {
        method: 'DELETE',
        path: '/credentials/{provider}',
        tag: 'Credentials',
        summary: 'Remove the credentials for a provider',
        description: 'From now on the business uses the installation’s credentials.',
      },
    })
    .input(z.object({ provider: z.enum(CREDENTIAL_PROVIDERS) }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeCredentials(ctx.business, ctx.services.keyring, input.provider)
      return OK
    }),
})
