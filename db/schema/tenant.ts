import { getTableName } from 'drizzle-orm'
import { type AnyPgColumn, foreignKey, type PgColumn, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'

/** The business that a row belongs to: the row is deleted with it. */
export const businessId = () =>
  uuid('business_id')
    .notNull()
    .references(() => businesses.id, { onDelete: 'cascade' })

/**
 * A foreign key to a row of the same business: `(business_id, column)` refers to `(business_id, target)`.
 * Drizzle cannot express `SET NULL (column)`; the migration does, because `business_id` is never null.
 */
export function sameBusiness(
  business: PgColumn,
  column: PgColumn,
  parent: { businessId: AnyPgColumn },
  target: AnyPgColumn,
  onDelete: 'cascade' | 'set null',
) {
  const name = `${getTableName(column.table)}_${column.name.replace(/_id$/, '')}_fk`
  return foreignKey({ name, columns: [business, column], foreignColumns: [parent.businessId, target] }).onDelete(
    onDelete,
  )
}
