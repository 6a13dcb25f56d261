import { afterAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { createDatabase, reconnectPause } from '../../db/client.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../db/embedded.ts'
import { createLogger } from '../../src/lib/log.ts'
import { ownPostgresDirectory, TEST_SETTINGS } from '../support/postgres.ts'
import { eventually } from '../support/wait.ts'

const dataDir = ownPostgresDirectory('reconnect')
const start = () => startEmbeddedPostgres({ dataDir, logger: createLogger('silent'), settings: TEST_SETTINGS })
let server: EmbeddedPostgres | null = null

afterAll(async () => {
  await server?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

test.each([false, true])(
  'a server that was stopped under load and is back answers at once (prepare: %p)',
  async (prepare) => {
    server = await start()
    const database = createDatabase(server.url, { max: 12, prepare })
    const failures: unknown[] = []
    let answered = 0
    let over = false
    const query = () => database.db.execute(sql`select pg_sleep(${0.01})`)
    const transaction = () => database.db.transaction(async (tx) => void (await tx.execute(sql`select ${1}::int`)))
    const work = Array.from({ length: 20 }, async (_, index) => {
      while (!over) {
        await (index % 3 === 0 ? transaction() : query()).then(
          () => void answered++,
          (error: unknown) => failures.push(error),
        )
        await Bun.sleep(5)
      }
    })
    await eventually(() => answered > 40, 'answers before the stop')
    await server.stop()
    await eventually(() => failures.length > 0, 'the first failure')
    server = await start()
    await database.sql`select 1`.catch((error: unknown) => failures.push(error))
    const before = answered
    await eventually(() => answered > before + 100, 'answers after the start')
    over = true
    // What the server said as it stopped is the answer to none of the queries of the connections that follow.
    const ended = await Promise.race([Promise.all(work).then(() => 'ended'), Bun.sleep(5_000).then(() => 'waiting')])
    expect(ended).toBe('ended')
    expect(failures.length).toBeGreaterThan(0)
    const answers = await Promise.allSettled(Array.from({ length: 24 }, query))
    expect(answers.filter(({ status }) => status === 'rejected')).toEqual([])
    await database.close()
    await server.stop()
    server = null
  },
  60_000,
)

test('a connection is tried again within half a second, however often it failed', () => {
  const pauses = Array.from({ length: 200 }, (_, failures) => reconnectPause(failures))
  expect(Math.max(...pauses)).toBeLessThanOrEqual(0.5)
  expect(Math.min(...pauses)).toBeGreaterThan(0)
})
