import { timestamp, uuid } from 'drizzle-orm/pg-core'
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
