import { sql } from 'drizzle-orm'
import { index, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId } from './tenant.ts'

export const memberships = pgTable(
  'memberships',
  {
    id: id(),
    businessId: businessId(),
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
    uniqueIndex('memberships_list').on(t.businessId, t.id),
    ...enumChecks(t),
  ],
)

export const invitations = pgTable(
  'member_invitations',
  {
    id: id(),
    businessId: businessId(),
    email: text().notNull(),
    role: text({ enum: ['owner', 'manager', 'agent', 'viewer'] }).notNull(),
    /** SHA-256 of the token in the link; a new one each time it is sent. */
    tokenHash: text('token_hash').notNull(),
    expiresAt: at('expires_at').notNull(),
    acceptedAt: at('accepted_at'),
    revokedAt: at('revoked_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('member_invitations_token').on(t.tokenHash),
    uniqueIndex('member_invitations_pending')
      .on(t.businessId, t.email)
      .where(sql`${t.acceptedAt} is null and ${t.revokedAt} is null`),
    index('member_invitations_list').on(t.businessId, t.id),
    ...enumChecks(t),
  ],
)

export const installationState = pgTable('installation_state', {
  key: text().primaryKey(),
  value: text().notNull(),
  updatedAt: updatedAt(),
})
