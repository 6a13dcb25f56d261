import { initTRPC, TRPCError } from '@trpc/server'
import { ZodError, z } from 'zod'
import type { Keyring } from '../domain/credentials/index.ts'
import type { EventHub } from '../domain/events/index.ts'
import type { CreateLogin } from '../domain/members/index.ts'
import type { SendSettings } from '../domain/messages/index.ts'
import type { PaymentMeans } from '../domain/payments/index.ts'
import { requireAccess } from '../http/access.ts'
import { requireStorable } from '../http/errors.ts'
import type { AccessContext } from '../http/principal.ts'
import type { JobQueue } from '../jobs/backend.ts'
import { AppError, type ErrorBody, type ErrorKind, toAppError } from '../lib/errors.ts'
import type { ReplayReport } from '../media/replay.ts'
import { PERMISSIONS } from './permissions.ts'

/** What procedures need beside the domain's context; made once a process. */
export type ApiServices = {
  createLogin: CreateLogin
  /** The open queues of this process. */
  queues(): JobQueue[]
  events: EventHub
  /** The businesses' own keys. */
  keyring: Keyring
  /** Lives a stored record through again. @throws AppError `record_not_found`, `bad_record` */
  replayRecord(key: string): Promise<ReplayReport>
}

/** What every procedure gets: whom the request speaks for is found out when it is asked for. */
export type TrpcContext = {
  authenticate(): Promise<AccessContext>
  /** Looks again, for what outlives its request. */
  authenticateAgain(): Promise<AccessContext>
  settings: SendSettings
  services: ApiServices
  payments: PaymentMeans
}

const CODES = {
  invalid: 'BAD_REQUEST',
  unauthenticated: 'UNAUTHORIZED',
  forbidden: 'FORBIDDEN',
  not_found: 'NOT_FOUND',
  conflict: 'CONFLICT',
  gone: 'NOT_FOUND',
  too_large: 'PAYLOAD_TOO_LARGE',
  rate_limited: 'TOO_MANY_REQUESTS',
  not_implemented: 'NOT_IMPLEMENTED',
  unavailable: 'SERVICE_UNAVAILABLE',
  internal: 'INTERNAL_SERVER_ERROR',
} as const satisfies Record<ErrorKind, TRPCError['code']>

/** The product's error as tRPC's. */
export function toTrpcError(error: AppError): TRPCError {
  return new TRPCError({ code: CODES[error.kind], message: error.message, cause: error })
}

const t = initTRPC.context<TrpcContext>().create({
  sse: { ping: { enabled: true, intervalMs: 3_000 } },
  errorFormatter({ shape, error }) {
    return { ...shape, data: { ...shape.data, stack: undefined, error: bodyOf(error) } }
  },
})

function bodyOf(error: TRPCError): ErrorBody {
  const { cause } = error
  if (cause instanceof ZodError) {
    const issue = cause.issues[0]
    return {
      code: 'invalid_input',
      message: issue?.message ?? 'The input is not valid.',
      field: issue?.path.join('.') ?? '',
    }
  }
  return cause instanceof Error
    ? toAppError(cause).toBody()
    : { code: error.code.toLowerCase(), message: error.message }
}

export const router = t.router
export const createCallerFactory = t.createCallerFactory

/**
 * A procedure within the business that the request speaks for. What it asks for stands in the permission table under its
 * path; without an entry it is refused to everybody.
 */
export const businessProcedure = t.procedure.use(async ({ ctx, path, getRawInput, next }) => {
  try {
    const business = await ctx.authenticate()
    const needs = PERMISSIONS[path]
    if (!needs) throw new AppError('forbidden', 'no_permission_entry', `Nobody is allowed to call ${path}.`)
    requireAccess(business.access, needs)
    requireStorable(await getRawInput())
    const result = await next({ ctx: { business } })
    // tRPC wraps what a procedure threw; known errors get their own code.
    if (!result.ok && result.error.code === 'INTERNAL_SERVER_ERROR' && result.error.cause)
      throw toTrpcError(toAppError(result.error.cause))
    return result
  } catch (error) {
    throw error instanceof TRPCError ? error : toTrpcError(toAppError(error))
  }
})

/** Pages as every list answers them. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() })

/** What a change answers that has nothing else to say. */
export const done = z.object({ ok: z.literal(true) })
export const OK = { ok: true } as const
