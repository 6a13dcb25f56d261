import { sql } from 'drizzle-orm'
import { check, index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { businesses } from './businesses.ts'
import { createdAt, id, updatedAt } from './columns.ts'

/** Who may log in for which business, and as what. */
export const memberships = pgTable(
  'memberships',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    role: text({ enum: ['owner', 'manager', 'agent', 'viewer'] }).notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('memberships_member').on(t.businessId, t.userId),
    index('memberships_user').on(t.userId, t.id),
    index('memberships_list').on(t.businessId, t.id),
    check('memberships_role', sql`${t.role} in ('owner', 'manager', 'agent', 'viewer')`),
  ],
)
