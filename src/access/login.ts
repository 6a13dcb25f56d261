import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { APIError } from 'better-auth/api'
import { betterAuth } from 'better-auth/minimal'
import { twoFactor } from 'better-auth/plugins/two-factor'
import type { Database } from '../../db/client.ts'
import { accounts, rateLimits, sessions, twoFactors, users, verifications } from '../../db/schema/index.ts'
import { insertLogin } from '../domain/members/index.ts'
import type { Logger } from '../lib/log.ts'
import { createAccountGuards } from './account-guards.ts'
import { hashPassword, PASSWORD_MAX, PASSWORD_MIN, verifyPassword } from './passwords.ts'

/** Passes the client's address to the rate limit; a value that the client sends is overwritten. */
export const CLIENT_ADDRESS_HEADER = 'x-agentlocator-client'

export type AuthOptions = {
  db: Database
  secret: string
  publicBaseUrl: string
  log: Logger
  isOwnOrigin?: (origin: string, request: Request) => boolean
}

export function createAuth(options: AuthOptions) {
  const { log } = options
  return betterAuth({
    appName: 'AgentLocator',
    // A path here would replace `basePath`; http/base-path.ts handles an installation below a path.
    baseURL: new URL(options.publicBaseUrl).origin,
    basePath: '/api/auth',
    secret: options.secret,
    database: drizzleAdapter(options.db, {
      provider: 'pg',
      schema: {
        user: users,
        session: sessions,
        account: accounts,
        verification: verifications,
        twoFactor: twoFactors,
        rateLimit: rateLimits,
      },
    }),
    emailAndPassword: {
      enabled: true,
      // Logins are created by invitations and by the setup.
      disableSignUp: true,
      minPasswordLength: PASSWORD_MIN,
      maxPasswordLength: PASSWORD_MAX,
      password: { hash: hashPassword, verify: ({ hash, password }) => verifyPassword(hash, password) },
    },
    hooks: createAccountGuards(options.db),
    plugins: [twoFactor({ issuer: 'AgentLocator' })],
    trustedOrigins: (request) => {
      const origin = request?.headers.get('origin')
      return request && origin && options.isOwnOrigin?.(origin, request) ? [origin] : []
    },
    rateLimit: {
      enabled: true,
      storage: 'database',
      window: 60,
      max: 100,
      customRules: {
        '/sign-in/email': { window: 60, max: 10 },
        '/two-factor/verify-totp': { window: 60, max: 10 },
        '/two-factor/verify-backup-code': { window: 60, max: 10 },
        '/get-session': false,
      },
    },
    advanced: {
      cookiePrefix: 'agentlocator',
      ipAddress: { ipAddressHeaders: [CLIENT_ADDRESS_HEADER] },
    },
    // Errors reach the handler of the server: the library would log the parameters of statements.
    onAPIError: { throw: true },
    logger: {
      level: 'warn',
      disableColors: true,
      log: (level, message, ...details) =>
        log[level]({ library: 'better-auth', ...(details.length > 0 ? { details } : {}) }, message),
    },
    telemetry: { enabled: false },
  })
}

export type Auth = ReturnType<typeof createAuth>

/** The user behind a request's session cookie, or null. @throws Error of the database */
export async function sessionOf(auth: Auth, headers: Headers): Promise<{ userId: string } | null> {
  if (!headers.get('cookie')?.includes('agentlocator.')) return null
  try {
    const session = await auth.api.getSession({ headers })
    return session ? { userId: session.user.id } : null
  } catch (error) {
    // The library wraps errors of the database.
    throw error instanceof APIError && error.status === 'INTERNAL_SERVER_ERROR' && error.cause ? error.cause : error
  }
}

/** Creates a login with a checked password, without signing in. @returns the id of the user @throws AppError `login_exists` */
export async function createLogin(
  db: Database,
  login: { email: string; name: string; password: string },
): Promise<string> {
  const passwordHash = await hashPassword(login.password)
  return await db.transaction((tx) => insertLogin(tx, { email: login.email, name: login.name, passwordHash }))
}
