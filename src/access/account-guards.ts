import { randomBytes } from 'node:crypto'
import { APIError, createAuthMiddleware, getSessionFromCtx } from 'better-auth/api'
import { z } from 'zod'
import type { DomainContext } from '../domain/context.ts'
import {
  ATTEMPTS,
  countAttempt,
  endResets,
  forgetTrustedDevices,
  forgiveAttempt,
  normalizeEmail,
  useCode,
} from '../domain/members/index.ts'
import { AppError } from '../lib/errors.ts'
import { sha256Hex } from '../lib/ids.ts'
import { hasUnstorable } from '../lib/text.ts'
import { checkNewPassword } from './passwords.ts'

/** Marks a device on which the account was signed in; the name of its cookie after the prefix. */
const DEVICE_COOKIE = 'device'
const DEVICE_SECONDS = 180 * 24 * 3_600
/** The library's cookie of a login that waits for the second factor. */
const SECOND_STEP_COOKIE = 'two_factor'

/** Requests of a signed-in person that need the password: limited, since a session may be stolen. */
export const PASSWORD_PATHS: ReadonlySet<string> = new Set([
  '/change-password',
  '/verify-password',
  '/delete-user',
  '/two-factor/enable',
  '/two-factor/disable',
  '/two-factor/get-totp-uri',
  '/two-factor/generate-backup-codes',
])

const SIGNED_IN_BY = new Set(['/sign-in/email', '/two-factor/verify-totp', '/two-factor/verify-backup-code'])

type AuthContext = Parameters<Parameters<typeof createAuthMiddleware>[0]>[0]

const signIn = z.object({ email: z.string() })
const code = z.object({ code: z.string() })
const change = z.looseObject({ newPassword: z.string() })

/**
 * Beyond the library's limit per address: ten failed attempts in 15 minutes, one-time passwords once, checked new passwords
 * that end other sessions. The owner's devices are counted separately, so that a stranger cannot lock the owner out.
 */
export function createAccountGuards(db: DomainContext['db']) {
  return {
    before: createAuthMiddleware(async (ctx) => {
      refuseUnstorable(ctx.body)
      if (ctx.path === '/two-factor/verify-totp') await refuseUsedCode(db, ctx)
      const key = await attemptKey(ctx)
      if (key && !(await countAttempt({ db }, key))) throw tooMany()
      if (ctx.path === '/change-password') return await checkChange(ctx)
      return
    }),
    after: createAuthMiddleware(async (ctx) => {
      if (ctx.context.returned instanceof Error) return
      const key = await attemptKey(ctx)
      if (key) await forgiveAttempt({ db }, key)
      const signedIn = ctx.context.newSession
      if (SIGNED_IN_BY.has(ctx.path) && signedIn) {
        const pending = ctx.path === '/sign-in/email' && signedIn.user.twoFactorEnabled === true
        if (!pending) await rememberDevice(ctx, signedIn.user.email)
      }
      if (ctx.path === '/change-password' && signedIn) {
        await forgetTrustedDevices(db, signedIn.user.id)
        await endResets(db, signedIn.user.id)
      }
    }),
  }
}

/** The library stores any text; the database refuses some. */
function refuseUnstorable(body: unknown): void {
  if (typeof body !== 'object' || body === null) return
  for (const [field, value] of Object.entries(body))
    if (typeof value === 'string' && hasUnstorable(value))
      throw new APIError('BAD_REQUEST', {
        code: 'INVALID_TEXT',
        message: `${field}: The text has characters that cannot be stored. Remove them.`,
      })
}

async function attemptKey(ctx: AuthContext): Promise<string | null> {
  if (ctx.path === '/sign-in/email') {
    const body = signIn.safeParse(ctx.body)
    if (!body.success) return null
    const email = normalizeEmail(body.data.email)
    const device = await trustedDevice(ctx, email)
    return device ? `device:${device}` : `account:${email}`
  }
  if (!PASSWORD_PATHS.has(ctx.path)) return null
  const session = await getSessionFromCtx(ctx)
  return session ? `session:${session.user.id}` : null
}

async function trustedDevice(ctx: AuthContext, email: string): Promise<string | null> {
  const cookie = ctx.context.createAuthCookie(DEVICE_COOKIE)
  const value = await ctx.getSignedCookie(cookie.name, ctx.context.secret)
  const [owner, device] = value ? value.split('.') : []
  return device && owner === sha256Hex(email) ? device : null
}

async function rememberDevice(ctx: AuthContext, email: string): Promise<void> {
  const owner = normalizeEmail(email)
  if (await trustedDevice(ctx, owner)) return
  const cookie = ctx.context.createAuthCookie(DEVICE_COOKIE, { maxAge: DEVICE_SECONDS })
  const value = `${sha256Hex(owner)}.${randomBytes(16).toString('hex')}`
  await ctx.setSignedCookie(cookie.name, value, ctx.context.secret, cookie.attributes)
}

/** A code is marked as used before it is checked: of two simultaneous requests one succeeds. */
async function refuseUsedCode(db: DomainContext['db'], ctx: AuthContext): Promise<void> {
  const body = code.safeParse(ctx.body)
  const userId = await secondStepUser(ctx)
  if (!body.success || !userId) return
  if (!(await useCode({ db }, userId, body.data.code)))
    throw new APIError('UNAUTHORIZED', {
      code: 'CODE_USED',
      message: 'This code was already used. Wait for the next one.',
    })
}

async function secondStepUser(ctx: AuthContext): Promise<string | null> {
  const session = await getSessionFromCtx(ctx)
  if (session) return session.user.id
  const cookie = ctx.context.createAuthCookie(SECOND_STEP_COOKIE)
  const challenge = await ctx.getSignedCookie(cookie.name, ctx.context.secret)
  return challenge ? ((await ctx.context.internalAdapter.findVerificationValue(challenge))?.value ?? null) : null
}

async function checkChange(ctx: AuthContext) {
  const body = change.safeParse(ctx.body)
  const session = await getSessionFromCtx(ctx)
  if (!body.success || !session) return
  try {
    await checkNewPassword(body.data.newPassword, [session.user.email, session.user.name])
  } catch (error) {
    if (!(error instanceof AppError) || error.kind !== 'invalid') throw error
    throw new APIError('BAD_REQUEST', { code: error.code.toUpperCase(), message: error.message })
  }
  return { context: { body: { ...body.data, revokeOtherSessions: true } } }
}

function tooMany() {
  return new APIError(
    'TOO_MANY_REQUESTS',
    { code: 'TOO_MANY_ATTEMPTS', message: 'Too many attempts for this account. Try again in 15 minutes.' },
    { 'Retry-After': String(ATTEMPTS.windowSeconds) },
  )
}
