import { initTRPC, TRPCError } from '@trpc/server'
import { ZodError } from 'zod'
import type { BusinessContext } from '../domain/context.ts'
import type { SendSettings } from '../domain/messages/index.ts'
import type { PaymentMeans } from '../domain/payments/index.ts'
import { type AppError, type ErrorBody, type ErrorKind, toAppError } from '../lib/errors.ts'

/** What every procedure gets: whom the request speaks for is found out when it is asked for. */
export type TrpcContext = {
  authenticate(): Promise<BusinessContext>
  settings: SendSettings
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

/** A procedure within the business that the request speaks for. */
export const businessProcedure = t.procedure.use(async ({ ctx, next }) => {
  try {
    const result = await next({ ctx: { business: await ctx.authenticate() } })
    // tRPC wraps what a procedure threw; known errors get their own code.
    if (!result.ok && result.error.code === 'INTERNAL_SERVER_ERROR' && result.error.cause)
      throw toTrpcError(toAppError(result.error.cause))
    return result
  } catch (error) {
    throw error instanceof TRPCError ? error : toTrpcError(toAppError(error))
  }
})
