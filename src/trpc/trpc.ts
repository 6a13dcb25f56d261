import { initTRPC, TRPCError } from '@trpc/server'
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc'
import { ZodError, z } from 'zod'
import type { AccessContext } from '../access/authenticate.ts'
import { permissionOf } from '../access/permissions.ts'
import { requireAccess } from '../access/require-access.ts'
import { superviseStream, until } from '../access/streams.ts'
import type { NumberWebhooks } from '../domain/businesses/index.ts'
import type { CallMoment, ListenToken, TestCall } from '../domain/calls/index.ts'
import type { Actor } from '../domain/context.ts'
import type { Keyring } from '../domain/credentials/index.ts'
import type { EventHub } from '../domain/events/index.ts'
import type { LinkDeps } from '../domain/members/index.ts'
import type { SendSettings } from '../domain/messages/index.ts'
import type { PaymentDeps } from '../domain/payments/index.ts'
import type { PushDeps } from '../domain/push/index.ts'
import type { ReceptionistSettings } from '../domain/receptionist/index.ts'
import type { Finding } from '../domain/system/index.ts'
import type { JobQueue } from '../jobs/backend.ts'
import { AppError, type ErrorBody, type ErrorKind, toAppError } from '../lib/errors.ts'
import type { SecretBox } from '../lib/secret-box.ts'
import type { ShortCache } from '../lib/short-cache.ts'
import { requireStorable } from '../lib/text.ts'
import type { LiveControl } from '../media/live-control.ts'
import type { ReplayReport } from '../media/replay.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import type { Telephony } from '../providers/telephony/port.ts'
import type { TemplateSource } from '../providers/whatsapp/port.ts'
import type { ProcedureMeta } from './rest-meta.ts'

/** What only a process that serves calls can do. */
export type VoiceServices = {
  /** A text as callers hear it: a WAV file. @throws AppError `voice_busy`, `text_too_long`, `nothing_to_say` */
  speak(text: string, language: 'he' | 'en'): Promise<Uint8Array>
  /**
   * Reserves a place for a test call and renders its greeting, as those of all businesses are.
   * @returns the token of its stream; null when no more calls fit
   */
  admitTestCall(
    call: { callSid: string; businessId: string; test: TestCall },
    settings: ReceptionistSettings,
  ): Promise<string | null>
}

/** What procedures need beside the domain's context, created once per process. */
export type ApiServices = {
  /** Sends invitations. */
  links: LinkDeps
  /** Seals the signing secrets of webhooks. */
  webhookBox: SecretBox
  /** The open queues of this process. */
  queues(): JobQueue[]
  events: EventHub
  /** The credentials of businesses. */
  keyring: Keyring
  /** Signs notifications and seals the addresses of devices. */
  push: PushDeps
  /** Reaches the live calls of all servers. */
  liveCalls: Pick<LiveControl, 'command'>
  /** Lets its bearer open `/ws/listen`. */
  listenToken(grant: Pick<ListenToken, 'callId' | 'businessId' | 'actor'>): { token: string; expiresAt: Date }
  /** The numbers of carrier accounts. */
  numbers: {
    /** The account that a business uses: its own, else the installation's. */
    telephonyOf(businessId: string): Telephony | null
    webhooks: NumberWebhooks
  }
  /** Examines the installation, as `doctor` does. */
  examine(): Promise<Finding[]>
  /** Keeps what many members look at, such as statistics. */
  cache: ShortCache
  /** Files of calls. */
  storage: Pick<ObjectStorage, 'get'>
  /** What happened in a call, by its stored trace. @throws AppError `trace_not_found`, `bad_trace` */
  readMoments(key: string): Promise<CallMoment[]>
  /** Replays a stored trace. @throws AppError `trace_not_found`, `bad_trace` */
  replayTrace(key: string): Promise<ReplayReport>
  /** The WhatsApp templates of a business's Twilio account; null where it has none. */
  templatesOf(businessId: string): TemplateSource | null
  /** Null where no calls are served. */
  voice: VoiceServices | null
}

/** What every procedure gets. The caller is authenticated when the procedure asks for it. */
export type TrpcContext = {
  authenticate(): Promise<AccessContext>
  /** Authenticates again, for a stream that outlives its request. */
  authenticateAgain(): Promise<AccessContext>
  /** Reserves one of the actor's open streams; returns the release. Callers in this process have no limit. */
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

/** The tRPC response of a request that was rejected before it reached tRPC. */
export function rejectCalls(error: AppError, paths: string[], batch: boolean): Response {
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

const t = initTRPC
  .context<TrpcContext>()
  .meta<ProcedureMeta>()
  .create({
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

/** A CSV file may hold text that cannot be stored: its reader reports that row by row. */
function withoutFile(path: string, input: unknown): unknown {
  if (!path.startsWith('imports.') || typeof input !== 'object' || input === null) return input
  return { ...input, csv: null }
}

/**
 * A procedure of the caller's business. `PERMISSIONS` holds the permission it needs; without an entry it always fails.
 * A subscription ends when its client leaves or loses the permission: `ctx.closing` is that signal.
 */
export const businessProcedure = t.procedure.use(async ({ ctx, path, type, signal, getRawInput, next }) => {
  try {
    const business = await ctx.authenticate()
    requireListed(business, path)
    requireStorable(withoutFile(path, await getRawInput()))
    if (type !== 'subscription') return withAppError(await next({ ctx: { business, closing: signal ?? NEVER } }))
    const leave = ctx.enterStream?.(business.actor)
    const supervised = superviseStream(async () => {
      const again = await ctx.authenticateAgain()
      if (again.businessId !== business.businessId || again.actor.id !== business.actor.id)
        throw new Error('The credentials belong to another actor now.')
      requireListed(again, path)
    })
    const release = () => {
      supervised.stop()
      leave?.()
    }
    const closing = signal ? AbortSignal.any([signal, supervised.closing]) : supervised.closing
    const result = withAppError(await next({ ctx: { business, closing } }))
    if (!result.ok || !isStream(result.data)) {
      release()
      return result
    }
    return { ...result, data: until(result.data, closing, release) }
  } catch (error) {
    throw error instanceof TRPCError ? error : toTrpcError(toAppError(error))
  }
})

const NEVER = new AbortController().signal

function requireListed(business: AccessContext, path: string): void {
  const needs = permissionOf(path)
  if (!needs) throw new AppError('forbidden', 'no_permission_entry', `The permission table has no entry for ${path}.`)
  requireAccess(business.access, needs)
}

function isStream(data: unknown): data is AsyncIterable<unknown> {
  return typeof data === 'object' && data !== null && Symbol.asyncIterator in data
}

/** tRPC wraps what a procedure threw: an `AppError` gets its own code back. */
function withAppError<Result extends { ok: true } | { ok: false; error: TRPCError }>(result: Result): Result {
  if (!result.ok && result.error.code === 'INTERNAL_SERVER_ERROR' && result.error.cause)
    throw toTrpcError(toAppError(result.error.cause))
  return result
}

/** The one shape of a list: `nextCursor` is null on the last page. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable() })

/** A list that is always answered whole. */
export function onePage<Item>(items: Item[]): { items: Item[]; nextCursor: null } {
  return { items, nextCursor: null }
}

export const byId = z.object({ id: z.uuid() })

/** The result of a change that has no other result. */
export const done = z.object({ ok: z.literal(true) })
export const OK = { ok: true } as const
