import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { getTableColumns, getTableName, is } from 'drizzle-orm'
import { PgTable } from 'drizzle-orm/pg-core'
import { createDatabase, type DatabaseHandle } from '../../db/client.ts'
import * as schema from '../../db/schema/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let handle: DatabaseHandle

beforeAll(async () => {
  database = await createTestDatabase()
  handle = createDatabase(database.url, { max: 2 })
}, 120_000)

afterAll(async () => {
  await handle.close()
  await database.drop()
})

type ForeignKey = {
  name: string
  child: string
  parent: string
  columns: string[]
  tenants: boolean
  valid: boolean
  /** On delete: `a` no action, `c` cascade, `n` set null. */
  action: string
  deferred: boolean
}

function listForeignKeys() {
  return handle.sql<ForeignKey[]>`
    select c.conname as name, c.conrelid::regclass::text as child, c.confrelid::regclass::text as parent,
      array(select a.attname::text from unnest(c.conkey) with ordinality k(num, place)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num order by place) as columns,
      (select count(*) from pg_attribute a where a.attname = 'business_id' and a.attnotnull
        and a.attrelid in (c.conrelid, c.confrelid)) = 2 as tenants,
      c.convalidated as valid, c.confdeltype::text as action, c.condeferred as deferred
    from pg_constraint c where c.contype = 'f' and c.connamespace = 'public'::regnamespace order by 2, 1`
}

describe('the tables as they are in Postgres', () => {
  test('each reference between two tables of a business includes the business', async () => {
    const keys = (await listForeignKeys()).filter(({ tenants, parent }) => tenants && parent !== 'businesses')
    expect(keys.length).toBeGreaterThan(25)
    const composite = new Set(
      keys.filter(({ columns }) => columns[0] === 'business_id').map(({ child, columns }) => `${child}.${columns[1]}`),
    )
    const single = keys.filter(({ columns }) => columns.length === 1)
    expect(single.filter(({ child, columns }) => !composite.has(`${child}.${columns[0]}`))).toEqual([])
    // The version before finds a contact's rows by its single-column references.
    const cascading = single.filter(({ action }) => action !== 'n')
    expect([...new Set(cascading.map(({ parent }) => parent))]).toEqual(['contacts'])
  })

  test('deleting a row that others only mention clears the mention before their business is checked', async () => {
    const keys = (await listForeignKeys()).filter(({ tenants, parent }) => tenants && parent !== 'businesses')
    const describeKey = ({ child, columns }: ForeignKey) => `${child}.${columns.at(-1)}`
    const composite = keys.filter(({ columns }) => columns.length > 1)
    const clearing = keys.filter(({ columns, action }) => columns.length === 1 && action === 'n')
    // Who has appointments is archived, never deleted.
    const kept = new Set(['appointments.staff_id'])
    const deferred = composite.filter((key) => key.action !== 'c' && !kept.has(describeKey(key)))
    expect(clearing.length).toBeGreaterThan(6)
    expect(deferred.map(describeKey).toSorted()).toEqual(clearing.map(describeKey).toSorted())
    for (const { name, action, deferred: isDeferred } of deferred)
      expect({ name, action, isDeferred }).toEqual({ name, action: 'a', isDeferred: true })
  })

  test('every constraint and every index is valid', async () => {
    expect((await listForeignKeys()).filter(({ valid }) => !valid)).toEqual([])
    const invalid = await handle.sql`
      select conname as name from pg_constraint where not convalidated
      union all select indexrelid::regclass::text from pg_index where not indisvalid`
    expect([...invalid]).toEqual([])
  })

  test('every foreign key has an index that finds the rows of a parent', async () => {
    const indexes = await handle.sql<{ table: string; first: string[]; predicate: string | null }[]>`
      select i.indrelid::regclass::text as "table",
        array(select pg_get_indexdef(i.indexrelid, place, true) from generate_series(1, i.indnkeyatts) place) as first,
        pg_get_expr(i.indpred, i.indrelid, true) as predicate
      from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = 'public'::regnamespace`
    const missing = (await listForeignKeys()).filter(({ child, columns }) => {
      // The most selective column: a composite key is found by what it adds to the business.
      const column = columns.at(-1) ?? ''
      return !indexes.some(
        ({ table, first, predicate }) =>
          table === child &&
          (predicate === null || predicate === `${column} IS NOT NULL`) &&
          (first[0] === column || (first[0] === columns[0] && first[1] === column)),
      )
    })
    expect(missing).toEqual([])
  })

  test('every text column with a list of values has a check with the same list', async () => {
    const rows = await handle.sql<{ name: string; table: string; definition: string }[]>`
      select conname as name, conrelid::regclass::text as "table", pg_get_constraintdef(oid) as definition
      from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace`
    const limited = Object.values<unknown>(schema)
      .filter((entry): entry is PgTable => is(entry, PgTable))
      .flatMap((table) =>
        Object.values(getTableColumns(table)).map((column) => ({ table: getTableName(table), column })),
      )
      .filter(({ column }) => column.enumValues?.length)
    expect(limited.length).toBeGreaterThan(50)
    for (const { table, column } of limited) {
      const check = rows.find((row) => row.table === table && row.name === `${table}_${column.name}`)
      const values = [...(check?.definition.matchAll(/'((?:[^']|'')*)'::text/g) ?? [])].map(([, value]) => value)
      expect({ table, column: column.name, values }).toEqual({
        table,
        column: column.name,
        values: column.enumValues ?? [],
      })
    }
  })
})
