import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import postgres, { type ISql, type Sql } from 'postgres'
import * as schema from './schema/index.ts'

export type Database = PostgresJsDatabase<typeof schema>
export type Executor = Database | Parameters<Parameters<Database['transaction']>[0]>[0]

export type DatabaseHandle = {
  db: Database
  sql: Sql
  /** Ends the pool; queries under way may finish for up to 5 s. */
  close(): Promise<void>
}

/**
 * Opens a pool that connects when first needed; `prepare` plans each statement once a connection, for few frequent
 * statements.
 */
export function createDatabase(
  url: string,
  options: { max?: number; statementTimeoutMs?: number; name?: string; prepare?: boolean } = {},
): DatabaseHandle {
  const sql = postgres(url, {
    max: options.max ?? 10,
    connect_timeout: 3,
    backoff: reconnectPause,
    idle_timeout: 60,
    max_lifetime: 1800,
    connection: {
      application_name: options.name ?? 'agentlocator',
      statement_timeout: options.statementTimeoutMs ?? 15_000,
    },
    onnotice: () => {},
  })
  return {
    db: drizzle(guardStatements(sql, options.prepare ?? false), { schema }),
    sql,
    close: () => sql.end({ timeout: 5 }),
  }
}

/** Seconds before a reconnect. The driver counts failures of all connections together and would wait up to 20 s. */
export function reconnectPause(failures: number): number {
  return Math.min(0.5, 0.02 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2)
}

/** Drops a NUL, which Postgres refuses. Named statements (`prepare`) take a third of the time: docs/postgres-driver.md. */
function guardStatements<T extends ISql>(sql: T, prepare: boolean): T {
  return new Proxy(sql, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (name === 'unsafe')
        return (text: string, params?: unknown[], options?: object) =>
          value.call(target, text, params?.map(withoutNul), prepare ? { ...options, prepare } : options)
      if (name === 'begin' || name === 'savepoint')
        return (...given: unknown[]) => {
          const work = given.pop()
          if (typeof work !== 'function') throw new TypeError(`${name} needs a function`)
          return value.call(target, ...given, (inner: ISql) => work(guardStatements(inner, prepare)))
        }
      return value
    },
  })
}

function withoutNul(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '') : value
  return Array.isArray(value) ? value.map(withoutNul) : value
}
