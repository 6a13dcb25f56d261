import { sql } from 'drizzle-orm'
import { bigint, check, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId } from './tenant.ts'

export const ITEM_STATES = ['available', 'reserved', 'sold', 'hidden'] as const

/** What a business offers one by one: an apartment, a car, a treatment. */
export const catalogueItems = pgTable(
  'catalogue_items',
  {
    id: id(),
    businessId: businessId(),
    /** The business's own number of it; an import finds it again by this. */
    sku: text().notNull(),
    name: text().notNull(),
    description: text().notNull().default(''),
    /** Minor units; null: the price is not said. */
    priceAgorot: bigint('price_agorot', { mode: 'number' }),
    currency: text({ enum: ['ILS', 'USD', 'EUR'] })
      .notNull()
      .default('ILS'),
    pictureUrl: text('picture_url'),
    state: text({ enum: ITEM_STATES }).notNull().default('available'),
    /** How many there are; null: not counted. */
    stock: integer(),
    /** Such as area, rooms, size: numbers where they are numbers. */
    attributes: jsonb().$type<Record<string, string | number>>().notNull().default({}),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('catalogue_items_tenant').on(t.businessId, t.id),
    uniqueIndex('catalogue_items_sku').on(t.businessId, t.sku),
    check('catalogue_items_price', sql`${t.priceAgorot} >= 0`),
    check('catalogue_items_stock', sql`${t.stock} >= 0`),
    ...enumChecks(t),
  ],
)
