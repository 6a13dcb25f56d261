import { createDatabase, type DatabaseHandle } from '../../db/client.ts'
import { users } from '../../db/schema/index.ts'
import type { Access, AccessContext } from '../../src/access/authenticate.ts'
import { createBusiness } from '../../src/domain/businesses/index.ts'
import { type BusinessContext, type DomainContext, within } from '../../src/domain/context.ts'
import { grantMembership, type Role, type Scope } from '../../src/domain/members/index.ts'
import type { JobName, JobPayload } from '../../src/jobs/registry.ts'
import { newId } from '../../src/lib/ids.ts'
import { createLogger } from '../../src/lib/log.ts'
import { appRouter } from '../../src/trpc/router.ts'
import { createCallerFactory, type TrpcContext } from '../../src/trpc/trpc.ts'
import { createTestDatabase } from './postgres.ts'
import { createTestServices, type TestServices } from './services.ts'

export type EnqueuedJob = { name: JobName; payload: JobPayload<JobName>; jobId: string | undefined }

/** A database with one business, and the router called as anybody. */
export type TestApi = {
  database: DatabaseHandle
  url: string
  ctx: DomainContext
  businessId: string
  /** The business's own context, as the system. */
  business: BusinessContext
  /** Jobs that were asked for, in order; nothing runs them. */
  jobs: EnqueuedJob[]
  services: TestServices
  /** A login with a role in a business; answers the user's id. */
  addUser(role: Role, businessId?: string): Promise<string>
  addBusiness(name: string): Promise<string>
  as(access: Partial<Access>, options?: { userId?: string; businessId?: string }): ReturnType<typeof createCaller>
  close(): Promise<void>
}

const createCaller = createCallerFactory(appRouter)

/** @param options `paypal`: payments can be asked for by PayPal; nothing is minted at it until a customer pays */
export async function createTestApi(options: { paypal?: boolean } = {}): Promise<TestApi> {
  const test = await createTestDatabase()
  const database = createDatabase(test.url, { max: 6, name: 'test' })
  const jobs: EnqueuedJob[] = []
  const ctx: DomainContext = {
    db: database.db,
    enqueue: async (name, payload, options) => {
      jobs.push({ name, payload: payload as JobPayload<JobName>, jobId: options?.jobId })
    },
    log: createLogger('silent'),
    actor: { kind: 'system', id: 'test' },
  }
  const businessId = await createBusiness(ctx, { name: 'Test', language: 'en' })
  const services = await createTestServices(test.url, database, ctx, options)

  return {
    database,
    url: test.url,
    ctx,
    businessId,
    business: within(ctx, businessId),
    jobs,
    services,
    async addUser(role, business = businessId) {
      const id = newId()
      await database.db.insert(users).values({ id, name: `A ${role}`, email: `${id}@example.com` })
      await database.db.transaction((tx) => grantMembership(tx, within(ctx, business), id, role))
      return id
    },
    addBusiness: (name) => createBusiness(ctx, { name, language: 'he' }),
    as(access, options = {}) {
      const bound = within(
        ctx,
        options.businessId ?? businessId,
        options.userId ? { kind: 'user', id: options.userId } : { kind: 'system', id: 'test' },
      )
      const authenticate = async (): Promise<AccessContext> => ({
        ...bound,
        access: { role: 'owner', scope: null, operator: false, ...access },
      })
      const context: TrpcContext = {
        authenticate,
        authenticateAgain: authenticate,
        settings: { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) },
        services: services.api,
        payments: services.payments,
      }
      return createCaller(context)
    },
    async close() {
      await services.close()
      await database.close()
      await test.drop()
    },
  }
}

export const SCOPE_ACCESS: Record<Scope, Access> = {
  read: { role: 'viewer', scope: 'read', operator: false },
  write: { role: 'agent', scope: 'write', operator: false },
  admin: { role: 'owner', scope: 'admin', operator: false },
}
