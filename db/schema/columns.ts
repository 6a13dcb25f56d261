import { getTableColumns, getTableName, sql } from 'drizzle-orm'
import { check, type PgColumn, timestamp, uuid } from 'drizzle-orm/pg-core'
import { newId } from '../../src/lib/ids.ts'

/** UUIDv7 primary key: sorts by creation, so lists page over the key. */
export const id = () => uuid().primaryKey().$defaultFn(newId)

export const at = (name?: string) =>
  name ? timestamp(name, { withTimezone: true, mode: 'date' }) : timestamp({ withTimezone: true, mode: 'date' })

export const createdAt = () => at('created_at').notNull().defaultNow()
export const updatedAt = () =>
  at('updated_at')
    .notNull()
    .defaultNow()
    .$onUpdateFn(() => new Date())

/** One check for each text column that is limited to a list of values, for the table of these columns. */
export function enumChecks(columns: Record<string, PgColumn>) {
  const table = Object.values(columns)[0]?.table
  if (!table) return []
  return Object.values(getTableColumns(table)).flatMap((column) => {
    if (!column.enumValues?.length) return []
    const values = column.enumValues.map((value) => `'${value.replaceAll("'", "''")}'`).join(', ')
    return check(`${getTableName(table)}_${column.name}`, sql`${column} in (${sql.raw(values)})`)
  })
}
