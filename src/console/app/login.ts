import { useMutation, useQuery } from '@tanstack/react-query'
import * as z from 'zod/mini'
import { below } from './base.ts'
import { RefusedError } from './errors.ts'
import { queryClient } from './trpc.ts'

const problem = z.object({ message: z.optional(z.string()), code: z.optional(z.string()) })
const session = z.object({
  token: z.string(),
  userAgent: z.optional(z.nullable(z.string())),
  ipAddress: z.optional(z.nullable(z.string())),
  createdAt: z.string(),
  updatedAt: z.string(),
})

/** Asks the login service. @throws RefusedError with what it said */
async function ask<S extends z.ZodMiniType>(schema: S, path: string, body?: Record<string, unknown>) {
  const response = await fetch(below(`/api/auth${path}`), {
    method: body ? 'POST' : 'GET',
    ...(body ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {}),
  })
  const answer: unknown = await response.json().catch(() => ({}))
  if (response.ok) return z.parse(schema, answer)
  const said = z.safeParse(problem, answer)
  throw new RefusedError({ code: `http_${response.status}`, ...(said.success ? said.data : {}) })
}

/** The sessions of this person, this browser's first. */
export function useSessions() {
  return useQuery({
    queryKey: ['login', 'sessions'],
    queryFn: async () => {
      const [all, mine] = await Promise.all([
        ask(z.array(session), '/list-sessions'),
        ask(z.nullable(z.object({ session: z.object({ token: z.string() }) })), '/get-session'),
      ])
      const current = mine?.session.token
      return all
        .map((each) => ({ ...each, current: each.token === current }))
        .sort((a, b) => Number(b.current) - Number(a.current) || b.updatedAt.localeCompare(a.updatedAt))
    },
  })
}

const anything = z.unknown()
const reads = () =>
  Promise.all([
    queryClient.invalidateQueries({ queryKey: ['login'] }),
    queryClient.invalidateQueries({ queryKey: ['account'] }),
  ])

const change = <I, S extends z.ZodMiniType>(
  path: string,
  schema: S,
  toBody: (input: I) => Record<string, unknown>,
) => ({
  mutationFn: (input: I) => ask(schema, path, toBody(input)),
  onSuccess: reads,
})

export const useRevokeSession = () => useMutation(change('/revoke-session', anything, (token: string) => ({ token })))
export const useRevokeOthers = () => useMutation(change('/revoke-other-sessions', anything, (_: undefined) => ({})))
export const useChangePassword = () =>
  useMutation(
    change('/change-password', anything, (input: { currentPassword: string; newPassword: string }) => ({ ...input })),
  )
export const useRename = () => useMutation(change('/update-user', anything, (name: string) => ({ name })))
export const useEnableTotp = () =>
  useMutation(
    change(
      '/two-factor/enable',
      z.object({ totpURI: z.string(), backupCodes: z.array(z.string()) }),
      (password: string) => ({
        password,
      }),
    ),
  )
export const useVerifyTotp = () =>
  useMutation(change('/two-factor/verify-totp', anything, (code: string) => ({ code })))
export const useDisableTotp = () =>
  useMutation(change('/two-factor/disable', anything, (password: string) => ({ password })))
export const useNewRecoveryCodes = () =>
  useMutation(
    change('/two-factor/generate-backup-codes', z.object({ backupCodes: z.array(z.string()) }), (password: string) => ({
      password,
    })),
  )
