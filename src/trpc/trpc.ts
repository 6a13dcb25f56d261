import { initTRPC, TRPCError } from '@trpc/server'
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc'
import { ZodError, z } from 'zod'
import type { AccessContext } from '../access/authenticate.ts'
import { permissionOf } from '../access/permissions.ts'
import { requireAccess } from '../access/require-access.ts'
import { superviseStream, until } from '../access/streams.ts'
import type { Actor } from '../domain/context.ts'
import type { Keyring } from '../domain/credentials/index.ts'
import type { EventHub } from '../domain/events/index.ts'
import type { LinkDeps } from '../domain/members/index.ts'
import type { SendSettings } from '../domain/messages/index.ts'
import type { PaymentDeps } from '../domain/payments/index.ts'
import type { JobQueue } from '../jobs/backend.ts'
import { AppError, type ErrorBody, type ErrorKind, toAppError } from '../lib/errors.ts'
import type { SecretBox } from '../lib/secret-box.ts'
import { requireStorable } from '../lib/text.ts'
import type { ReplayReport } from '../media/replay.ts'

/** What procedures need beside the domain's context; made once a process. */
export type ApiServices = {
  /** How invitations reach people. */
  links: LinkDeps
  /** Seals the secrets that sign webhooks. */
  webhookBox: SecretBox
  /** The open queues of this process. */
  queues(): JobQueue[]
  events: EventHub
  /** The businesses' own keys. */
  keyring: Keyring
  /** Replays a stored trace. @throws AppError `trace_not_found`, `bad_trace` */
  replayTrace(key: string): Promise<ReplayReport>
}

/** What every procedure gets: whom the request speaks for is found out when it is asked for. */
export type TrpcContext = {
  authenticate(): Promise<AccessContext>
  /** Looks again, for what outlives its request. */
  authenticateAgain(): Promise<AccessContext>
  /** Takes one of the places for open streams; answers what gives it back. Callers in this process need none. */
  enterStream?(actor: Actor): () => void
  settings: SendSettings
  services: ApiServices
  payments: PaymentDeps
}

const CODES = {
  invalid: 'BAD_REQUEST',
  unauthenticated: 'UNAUTHORIZED',
  forbidden: 'FORBIDDEN',
  not_found: 'NOT_FOUND',
  method_not_allowed: 'METHOD_NOT_SUPPORTED',
  timed_out: 'TIMEOUT',
  conflict: 'CONFLICT',
  gone: 'NOT_FOUND',
  too_large: 'PAYLOAD_TOO_LARGE',
  unsupported_media: 'UNSUPPORTED_MEDIA_TYPE',
  rate_limited: 'TOO_MANY_REQUESTS',
  not_implemented: 'NOT_IMPLEMENTED',
  unavailable: 'SERVICE_UNAVAILABLE',
  internal: 'INTERNAL_SERVER_ERROR',
} as const satisfies Record<ErrorKind, TRPCError['code']>

/** The product's error as tRPC's. */
export function toTrpcError(error: AppError): TRPCError {
  return new TRPCError({ code: CODES[error.kind], message: error.message, cause: error })
}

/** What tRPC's clients understand of a request that was refused before it reached tRPC. */
export function refusedCalls(error: AppError, paths: string[], batch: boolean): Response {
  const code = CODES[error.kind]
  const answers = paths.map((path) => ({
    error: {
      message: error.message,
      code: TRPC_ERROR_CODES_BY_KEY[code],
      data: { code, httpStatus: error.status, path, error: error.toBody() },
    },
  }))
  return Response.json(batch ? answers.slice(0, MAX_ANSWERS) : answers[0], { status: error.status })
}

const MAX_ANSWERS = 100

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

/** A table to import is a file as people have it: its own reader judges it, row by row. */
function withoutFile(path: string, input: unknown): unknown {
  if (!path.startsWith('imports.') || typeof input !== 'object' || input === null) return input
  return { ...input, csv: null }
}

/**
 * A procedure within the business that the request speaks for. What it asks for stands in the permission table under its
 * path; without an entry it is refused to everybody. A subscription ends when the right to it does, and gets the signal of
 * that, or of its client leaving, as `ctx.closing`.
 */
export const businessProcedure = t.procedure.use(async ({ ctx, path, type, signal, getRawInput, next }) => {
  try {
    const business = await ctx.authenticate()
    requireListed(business, path)
    requireStorable(withoutFile(path, await getRawInput()))
    if (type !== 'subscription') return known(await next({ ctx: { business, closing: signal ?? NEVER } }))
    const leave = ctx.enterStream?.(business.actor)
    const supervised = superviseStream(async () => {
      const again = await ctx.authenticateAgain()
      if (again.businessId !== business.businessId || again.actor.id !== business.actor.id)
        throw new Error('somebody else')
      requireListed(again, path)
    })
    const done = () => {
      supervised.stop()
      leave?.()
    }
    const closing = signal ? AbortSignal.any([signal, supervised.closing]) : supervised.closing
    const result = known(await next({ ctx: { business, closing } }))
    if (!result.ok || !isStream(result.data)) {
      done()
      return result
    }
    return { ...result, data: until(result.data, closing, done) }
  } catch (error) {
    throw error instanceof TRPCError ? error : toTrpcError(toAppError(error))
  }
})

const NEVER = new AbortController().signal

function requireListed(business: AccessContext, path: string): void {
  const needs = permissionOf(path)
  if (!needs) throw new AppError('forbidden', 'no_permission_entry', `Nobody is allowed to call ${path}.`)
  requireAccess(business.access, needs)
}

function isStream(data: unknown): data is AsyncIterable<unknown> {
  return typeof data === 'object' && data !== null && Symbol.asyncIterator in data
}

/** tRPC wraps what a procedure threw; known errors get their own code. */
function known<Result extends { ok: true } | { ok: false; error: TRPCError }>(result: Result): Result {
  if (!result.ok && result.error.code === 'INTERNAL_SERVER_ERROR' && result.error.cause)
    throw toTrpcError(toAppError(result.error.cause))
  return result
}

/** Pages as every list answers them. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() })

/** What a change answers that has nothing else to say. */
export const done = z.object({ ok: z.literal(true) })
export const OK = { ok: true } as const
