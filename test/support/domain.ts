import { createDatabase, type DatabaseHandle } from '../../db/client.ts'
import { createBusiness } from '../../src/domain/businesses/index.ts'
import { type BusinessContext, type DomainContext, within } from '../../src/domain/context.ts'
import { createLogger } from '../../src/lib/log.ts'
import { createTestDatabase } from './postgres.ts'

export type TestDomain = {
  handle: DatabaseHandle
  ctx: DomainContext
  queued: { name: string; payload: unknown }[]
  newBusiness(): Promise<BusinessContext>
  close(): Promise<void>
}

/** The domain on its own real database, with a queue that only lists its jobs. */
export async function openDomain(): Promise<TestDomain> {
  const database = await createTestDatabase()
  const handle = createDatabase(database.url, { max: 8 })
  const queued: TestDomain['queued'] = []
  const ctx: DomainContext = {
    db: handle.db,
    enqueue: async (name, payload) => void queued.push({ name, payload }),
    log: createLogger('silent'),
    actor: { kind: 'system', id: 'test' },
  }
  return {
    handle,
    ctx,
    queued,
    newBusiness: async () => within(ctx, await createBusiness(ctx, { name: 'Acme', language: 'en' })),
    async close() {
      await handle.close()
      await database.drop()
    },
  }
}
