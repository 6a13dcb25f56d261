import { getTableName } from 'drizzle-orm'
import { type AnyPgColumn, foreignKey, type PgColumn, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'

/** The business that a row belongs to: the row is deleted with it. */
export const businessId = () =>
  uuid('business_id')
    .notNull()
    .references(() => businesses.id, { onDelete: 'cascade' })

/**
 * A foreign key to a row of the same business: `(business_id, column)` refers to `(business_id, target)`. A column that
 * is cleared with its target has two: one of its own with `set null`, and this with `no action`, which the migration
 * makes `DEFERRABLE INITIALLY DEFERRED` (Drizzle cannot), so that it is checked after the other has cleared the column.
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
