import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import type { Database } from '../db/client.ts'
import { accounts, sessions, users, verifications } from '../db/schema/index.ts'

/** The console's login: e-mail and password, argon2id, sessions in Postgres. */
export function createAuth(options: { db: Database; secret: string; publicBaseUrl: string; signUp: boolean }) {
  return betterAuth({
    appName: 'AgentLocator',
    baseURL: options.publicBaseUrl,
    basePath: '/api/auth',
    secret: options.secret,
    database: drizzleAdapter(options.db, {
      provider: 'pg',
      schema: { user: users, session: sessions, account: accounts, verification: verifications },
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
    rateLimit: { enabled: true, window: 60, max: 100, customRules: { '/sign-in/email': { window: 60, max: 10 } } },
    advanced: { cookiePrefix: 'agentlocator' },
    telemetry: { enabled: false },
  })
}

export type Auth = ReturnType<typeof createAuth>
