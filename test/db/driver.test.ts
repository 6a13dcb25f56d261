import { afterAll, beforeAll, expect, test } from 'bun:test'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import postgres, { type Options, type PostgresType, type Sql, type TransactionSql } from 'postgres'
import { createEmptyDatabase, type TestDatabase } from '../support/postgres.ts'

// One test for each hunk of patches/postgres@3.4.9.patch, see docs/postgres-driver.md: each fails without its hunk.
// The last one passes without the patch, and shows that a lost copy needs none.

let database: TestDatabase
let admin: Sql

beforeAll(async () => {
  database = await createEmptyDatabase()
  admin = postgres(database.url, { max: 1, onnotice: () => {} })
}, 120_000)

afterAll(async () => {
  await admin.end()
  await database.drop()
})

const CLIENT = 'driver test'

/** A client with one connection, and the sockets that it has opened. */
function openClient(mayWrite: (data: Uint8Array) => boolean = () => true) {
  const sockets: Socket[] = []
  const { hostname, port } = new URL(database.url)
  const connect = async () => {
    const socket = new Socket().connect(Number(port), hostname)
    await once(socket, 'connect')
    sockets.push(socket)
    const write = socket.write.bind(socket)
    socket.write = ((data: Uint8Array, ...rest: []) => !mayWrite(data) || write(data, ...rest)) as typeof socket.write
    return socket
  }
  // The option is part of the driver and missing in its types.
  const options: Options<Record<string, PostgresType>> & { socket: typeof connect } = {
    max: 1,
    backoff: () => 0.01,
    onnotice: () => {},
    connection: { application_name: CLIENT },
    socket: connect,
  }
  const last = () => {
    const socket = sockets.at(-1)
    if (!socket) throw new Error('The client has no connection yet.')
    return socket
  }
  return { sql: postgres(database.url, options), last }
}

const within = <T>(work: PromiseLike<T>, ms = 3_000) =>
  Promise.race([work, Bun.sleep(ms).then(() => Promise.reject(new Error('no answer')))])

test('a transaction whose connection is gone sends nothing more, not even over the next connection', async () => {
  const { sql, last } = openClient()
  await admin`create table written (line text)`
  const late: unknown[] = []
  const write = (tx: Sql | TransactionSql, line: string) =>
    within(tx`insert into written values (${line})`).catch((error: Error) => late.push(error))
  const { promise: isBack, resolve: back } = Promise.withResolvers<void>()
  const { promise: isOver, resolve: over } = Promise.withResolvers<void>()
  const transaction = sql.begin(async (tx) => {
    await write(tx, 'of the transaction')
    last().destroy()
    await Bun.sleep(20)
    await write(tx, 'without a connection')
    await isBack
    await write(tx, 'over the next connection')
    over()
  })
  await expect(transaction).rejects.toThrow('CONNECTION_CLOSED')
  expect(await within(sql<{ three: number }[]>`select 3 as three`)).toMatchObject([{ three: 3 }])
  back()
  await isOver
  expect(late).toMatchObject([{ code: 'CONNECTION_CLOSED' }, { code: 'CONNECTION_CLOSED' }])
  expect([...(await admin`select line from written`)]).toEqual([])
  expect(await within(sql`select 3 as three`)).toMatchObject([{ three: 3 }])
  await sql.end({ timeout: 1 })
})

test('a statement that was not written yet when its connection closed does not stop the next connection', async () => {
  const { sql, last } = openClient()
  await sql`select 1`
  last().destroy()
  await expect(within(sql`select 2`)).rejects.toThrow('CONNECTION_CLOSED')
  expect(await within(sql`select 3 as three`)).toMatchObject([{ three: 3 }])
  await sql.end({ timeout: 1 })
})

test('a connection that the server ends while it is being set up is made again, without the state of the first', async () => {
  let ended = 0
  // The driver reads the array types before its first statement; the server ends the connection instead of an answer.
  const { sql } = openClient((data) => {
    if (ended > 0 || !Buffer.from(data).includes('pg_catalog.pg_type')) return true
    ended += 1
    void admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${CLIENT}`.execute()
    return false
  })
  expect(await within(sql`select 3 as three`)).toMatchObject([{ three: 3 }])
  expect(ended).toBe(1)
  await sql.end({ timeout: 1 })
})

test('what the server says when it ends a connection is no answer to the first statement of the next', async () => {
  const { sql } = openClient()
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
  const sleeping = sql`select pg_sleep(30)`.catch((error: Error) => error)
  await Bun.sleep(50)
  await admin`select pg_terminate_backend(${row?.pid ?? 0})`
  expect(await within(sleeping)).toMatchObject({ code: 'CONNECTION_CLOSED' })
  expect(await within(sql`select 3 as three`)).toMatchObject([{ three: 3 }])
  await sql.end({ timeout: 1 })
})

test('a connection answers after a copy that was read slowly to its end', async () => {
  const { sql } = openClient()
  const stream = await sql`copy (select repeat('x', 9000) from generate_series(1, 40)) to stdout`.readable()
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    await Bun.sleep(1)
  }
  expect(bytes).toBe(40 * 9_001)
  expect(await within(sql`select 3 as three`)).toMatchObject([{ three: 3 }])
  await sql.end({ timeout: 1 })
})

test('a copy into a table whose connection is lost is rejected', async () => {
  const { sql, last } = openClient()
  await sql`create temporary table copied (line text)`
  const sink = await sql`copy copied from stdin`.writable()
  const lines = async function* () {
    yield 'one\n'
    last().destroy()
    await Bun.sleep(20)
    yield 'two\n'
  }
  await expect(within(pipeline(Readable.from(lines()), sink))).rejects.toThrow()
  expect(await within(sql`select 3 as three`)).toMatchObject([{ three: 3 }])
  await sql.end({ timeout: 1 })
})
