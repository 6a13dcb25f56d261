import { sql } from 'drizzle-orm'
import { boolean, index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const PUSH_KINDS = ['missed_call', 'voicemail', 'lead', 'message'] as const

/** The keys with which this installation signs what it sends to push services (VAPID, RFC 8292). */
export const pushKeys = pgTable('push_keys', {
  name: text().primaryKey(),
  /** What a browser subscribes with. */
  publicKey: text('public_key').notNull(),
  /** The private key, sealed. */
  sealed: text().notNull(),
  createdAt: createdAt(),
})

export const pushSettings = pgTable('push_settings', {
  businessId: businessId().primaryKey(),
  /** Whether notifications hold what people wrote or said. */
  showText: boolean('show_text').notNull().default(false),
  updatedAt: updatedAt(),
})

/** The browsers and phones that members have notified. */
export const pushDevices = pgTable(
  'push_devices',
  {
    id: id(),
    businessId: businessId(),
    /** Null for the machine of the sandbox, which has no login. */
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    /** SHA-256 of the endpoint: a browser has one. */
    endpointHash: text('endpoint_hash').notNull(),
    /** Endpoint and keys, sealed for this device: whoever has them can send to it. */
    sealed: text().notNull(),
    /** What its owner recognizes it by. */
    label: text().notNull(),
    language: text({ enum: ['he', 'en'] }).notNull(),
    /** Which of `PUSH_KINDS` it wants; of other kinds it gets what its member gets. */
    kinds: text().array().notNull(),
    lastSentAt: at('last_sent_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('push_devices_endpoint').on(t.businessId, t.endpointHash),
    uniqueIndex('push_devices_tenant').on(t.businessId, t.id),
    index('push_devices_user').on(t.userId),
    ...enumChecks(t),
  ],
)

/** The notifications of version 0.2, which reads them; none are written any more. */
export const pushDeliveries = pgTable(
  'push_deliveries',
  {
    id: id(),
    businessId: businessId(),
    deviceId: uuid('device_id').notNull(),
    kind: text({ enum: [...PUSH_KINDS, 'test'] }).notNull(),
    /** The call, recording, lead or message. */
    entityId: uuid('entity_id').notNull(),
    state: text({ enum: ['pending', 'sent', 'dropped', 'failed'] })
      .notNull()
      .default('pending'),
    notBefore: at('not_before').notNull().defaultNow(),
    /** When its job was queued last. */
    queuedAt: at('queued_at'),
    attempts: integer().notNull().default(0),
    error: text(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('push_deliveries_once').on(t.deviceId, t.kind, t.entityId),
    index('push_deliveries_business').on(t.businessId),
    index('push_deliveries_pending').on(t.notBefore).where(sql`${t.state} = 'pending'`),
    index('push_deliveries_age').on(t.createdAt),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.deviceId, pushDevices, pushDevices.id, 'cascade'),
  ],
)
