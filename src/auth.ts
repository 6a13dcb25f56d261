import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { twoFactor } from 'better-auth/plugins/two-factor'
import type { Database } from '../db/client.ts'
import { accounts, rateLimits, sessions, twoFactors, users, verifications } from '../db/schema/index.ts'

/** Carries the client's address from our server to the rate limit; whatever a client sends under it is overwritten. */
export const CLIENT_ADDRESS_HEADER = 'x-agentlocator-client'

export type AuthOptions = {
  db: Database
  secret: string
  publicBaseUrl: string
  signUp: boolean
  /** Further origins whose requests count as the console's own. */
  isOwnOrigin?: (origin: string, request: Request) => boolean
}

/** The console's login: e-mail and password, argon2id, one-time passwords, sessions and rate limits in Postgres. */
export function createAuth(options: AuthOptions) {
  return betterAuth({
    appName: 'AgentLocator',
    // A path in it would take the place of `basePath`; what is below one is led there by the server (http/base-path.ts).
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
      disableSignUp: !options.signUp,
      minPasswordLength: 8,
      password: {
        hash: (password) => Bun.password.hash(password, 'argon2id'),
        verify: ({ hash, password }) => Bun.password.verify(password, hash),
      },
    },
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
    telemetry: { enabled: false },
  })
}

export type Auth = ReturnType<typeof createAuth>

/**
 * Makes a login for somebody, whoever may sign up by themselves; answers the user's id.
 * @param options as for `createAuth`; sign-up is open for this one call alone
 */
export async function createLogin(
  options: Omit<AuthOptions, 'signUp'>,
  login: { email: string; name: string; password: string },
): Promise<string> {
  const { user } = await createAuth({ ...options, signUp: true }).api.signUpEmail({ body: login })
  return user.id
}
