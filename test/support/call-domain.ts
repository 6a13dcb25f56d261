import { createDatabase } from '../../db/client.ts'
import { createBusiness } from '../../src/domain/businesses/index.ts'
import { registerCall } from '../../src/domain/calls/index.ts'
import { type BusinessContext, type DomainContext, within } from '../../src/domain/context.ts'
import type { JobName } from '../../src/jobs/registry.ts'
import { createLogger } from '../../src/lib/log.ts'
import { onTestsEnd } from './cleanup.ts'
import { createTestDatabase } from './postgres.ts'

/** A domain on a fresh database with one business; jobs go to a list. */
export async function startDomain(language: 'he' | 'en' = 'en') {
  const database = await createTestDatabase()
  const handle = createDatabase(database.url, { name: 'domain test', max: 6 })
  onTestsEnd(async () => {
    await handle.close()
    await database.drop()
  })
  const jobs: { name: JobName; payload: unknown }[] = []
  const ctx: DomainContext = {
    db: handle.db,
    log: createLogger('silent'),
    actor: { kind: 'system', id: 'test' },
    enqueue: async (name, payload) => void jobs.push({ name, payload }),
  }
  const businessId = await createBusiness(ctx, { name: 'Levi Homes', language })
  const business: BusinessContext = within(ctx, businessId)
  let calls = 0
  return {
    ctx,
    business,
    businessId,
    jobs,
    sql: handle.sql,
    /** Of the database. */
    url: database.url,
    /** A registered call; answers its SID. */
    async call(from = '+972501234567') {
      const callSid = `CA${String(++calls).padStart(32, '0')}`
      await registerCall(business, { callSid, from, to: '+97233760000', at: new Date() })
      return callSid
    },
  }
}
