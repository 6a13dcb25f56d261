import { getTableName } from 'drizzle-orm'
import { type AnyPgColumn, foreignKey, type PgColumn, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'

/** The business that a row belongs to: the row is deleted with it. */
export const businessId = () =>
  uuid('business_id')
    .notNull()
    .references(() => businesses.id, { onDelete: 'cascade' })

/**
 * A foreign key within a business. A column that is cleared with its target has two: one with `set null`, and this with `no
 * action`, which the migration makes `DEFERRABLE INITIALLY DEFERRED` (Drizzle cannot) to be checked after it.
 */
export function sameBusiness(
  business: PgColumn,
  column: PgColumn,
  parent: { businessId: AnyPgColumn },
  target: AnyPgColumn,
  onDelete: 'cascade' | 'no action',
) {
  const name = `${getTableName(column.table)}_${column.name.replace(/_id$/, '')}_fk`
  return foreignKey({ name, columns: [business, column], foreignColumns: [parent.businessId, target] }).onDelete(
    onDelete,
  )
}
