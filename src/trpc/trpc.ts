import { initTRPC, TRPCError } from '@trpc/server'
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc'
import { ZodError, z } from 'zod'
import type { AccessContext } from '../access/authenticate.ts'
import { permissionOf } from '../access/permissions.ts'
import { requireAccess } from '../access/require-access.ts'
import { superviseStream, until } from '../access/streams.ts'
import type { Respond } from '../domain/agent/index.ts'
import type { AlertDeps, Reach } from '../domain/alerts/index.ts'
import type { NumberWebhooks } from '../domain/businesses/index.ts'
import type { CalendarDeps, FeedLinks } from '../domain/calendars/index.ts'
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
import type { ModelProvider } from '../lib/model-name.ts'
import type { SecretBox } from '../lib/secret-box.ts'
import type { ShortCache } from '../lib/short-cache.ts'
import { requireStorable } from '../lib/text.ts'
import type { LiveControl } from '../media/live-control.ts'
import type { ReplayReport } from '../media/replay.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import type { Telephony } from '../providers/telephony/port.ts'
import type { TemplateSource } from '../providers/whatsapp/port.ts'
import type { ProcedureMeta } from './rest-meta.ts'

export type VoiceServices = {
  /** A text as callers hear it: a WAV file. @throws AppError `voice_busy`, `text_too_long`, `nothing_to_say` */
  speak(text: string, language: 'he' | 'en'): Promise<Uint8Array>
  /** Reserves a test call and renders its greeting. @returns the stream's token; null when no more calls fit */
  admitTestCall(
    call: { callSid: string; businessId: string; test: TestCall },
    settings: ReceptionistSettings,
  ): Promise<string | null>
}

export type ApiServices = {
  links: LinkDeps
  /** Seals the signing secrets of webhooks. */
  webhookBox: SecretBox
  queues(): JobQueue[]
  events: EventHub
  keyring: Keyring
  push: PushDeps
  /** What members can be notified by here, and what seals the addresses of channels. */
  alerts: { reach: Reach } & Pick<AlertDeps, 'box' | 'carrierOf' | 'settings' | 'post' | 'telegramApi' | 'links'>
  calendars: { deps: CalendarDeps; feedLinks: FeedLinks }
  liveCalls: Pick<LiveControl, 'command'>
  /** Lets its bearer open `/ws/listen`. */
  listenToken(grant: Pick<ListenToken, 'callId' | 'businessId' | 'actor'>): { token: string; expiresAt: Date }
  numbers: {
    telephonyOf(businessId: string): Telephony | null
    webhooks: NumberWebhooks
  }
  examine(): Promise<Finding[]>
  cache: ShortCache
  storage: Pick<ObjectStorage, 'get'>
  /** What happened in a call, by its stored trace. @throws AppError `trace_not_found`, `bad_trace` */
  readMoments(key: string): Promise<CallMoment[]>
  /** Replays a stored trace. @throws AppError `trace_not_found`, `bad_trace` */
  replayTrace(key: string): Promise<ReplayReport>
  /** The WhatsApp templates of a business's Twilio account; null where it has none. */
  templatesOf(businessId: string): TemplateSource | null
  voice: VoiceServices | null
  models: ModelServices
  /** The agent, for test chats. */
  respond: Respond
}

export type ModelServices = {
  /** The models in use, the installation's, and whose keys there are. */
  overview(businessId: string): Promise<{
    inUse: string[]
    installation: { model: string | null; fallback: string | null }
    keys: Record<ModelProvider, 'own' | 'installation' | 'none' | 'unreadable'>
  }>
  /** Asks a model one short question. @throws AppError `model_not_set`, `model_check_failed` */
  check(businessId: string, model: string): Promise<{ ms: number; costMicros: number | null }>
}

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
 * A procedure of the caller's business, by `PERMISSIONS`. A subscription ends (`ctx.closing`) with its client or permission.
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

export const done = z.object({ ok: z.literal(true) })
export const OK = { ok: true } as const
