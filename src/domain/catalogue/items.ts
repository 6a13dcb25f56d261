import { and, count, eq, inArray, ne, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { catalogueItems, ITEM_STATES } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { nameText, typedText } from '../../lib/text.ts'
import { audit, type BusinessContext } from '../context.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import { attributes } from './attributes.ts'

export const MAX_ITEMS = 5_000
const MAX_AGOROT = 1e13

const itemFields = z.object({
  name: nameText(200),
  description: typedText().trim().max(4_000),
  /** In the smallest unit of the currency; null: the price is not said. */
  priceAgorot: z.int().min(0).max(MAX_AGOROT).nullable(),
  currency: z.enum(['ILS', 'USD', 'EUR']),
  /** Of a JPEG, PNG or WebP that everyone may fetch: WhatsApp's providers do. */
  pictureUrl: z
    .url({ protocol: /^https?$/ })
    .max(2_048)
    .nullable(),
  state: z.enum(ITEM_STATES),
  /** How many there are; null: not counted. */
  stock: z.int().min(0).max(1_000_000).nullable(),
  attributes,
})

const sku = nameText(100)

/** An item that is not there yet has what is left out by default. */
export const newItem = z.object({
  /** The business's own number of it: the same number is the same item. */
  sku,
  name: itemFields.shape.name,
  description: itemFields.shape.description.default(''),
  priceAgorot: itemFields.shape.priceAgorot.default(null),
  currency: itemFields.shape.currency.default('ILS'),
  pictureUrl: itemFields.shape.pictureUrl.default(null),
  state: itemFields.shape.state.default('available'),
  stock: itemFields.shape.stock.default(null),
  attributes: itemFields.shape.attributes.default({}),
})
export type NewItem = z.output<typeof newItem>

/** What is left out stays as it is. */
export const itemChange = itemFields.extend({ sku }).partial()

export const itemView = z.object({
  id: z.uuid(),
  sku: z.string(),
  name: z.string(),
  description: z.string(),
  priceAgorot: z.number().nullable(),
  currency: z.enum(['ILS', 'USD', 'EUR']),
  pictureUrl: z.string().nullable(),
  state: z.enum(ITEM_STATES),
  stock: z.number().nullable(),
  attributes: z.record(z.string(), z.union([z.string(), z.number()])),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type Item = z.output<typeof itemView>

export const itemFilters = pageInput.extend({
  state: z.enum(ITEM_STATES).optional(),
  /** A part of the name or of the number. */
  q: z.string().trim().min(1).max(100).optional(),
})

export async function listItems(ctx: BusinessContext, filters: z.input<typeof itemFilters>) {
  const { state, q, ...page } = itemFilters.parse(filters)
  const like = q ? `%${q.replace(/[\\%_]/g, '\\$&')}%` : null
  const query = pageQuery(
    catalogueItems.id,
    page,
    eq(catalogueItems.businessId, ctx.businessId),
    state ? eq(catalogueItems.state, state) : undefined,
    like ? sql`(${catalogueItems.name} ilike ${like} or ${catalogueItems.sku} ilike ${like})` : undefined,
  )
  const rows = await ctx.db.select().from(catalogueItems).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(rows, page.limit)
}

/** @throws AppError `item_not_found` */
export async function getItem(ctx: BusinessContext, id: string): Promise<Item> {
  const [row] = await ctx.db
    .select()
    .from(catalogueItems)
    .where(and(eq(catalogueItems.businessId, ctx.businessId), eq(catalogueItems.id, id)))
  if (!row) throw noItem()
  return row
}

/** Keeps an item; one of the same number is replaced. @throws AppError `catalogue_full` */
export async function saveItem(ctx: BusinessContext, input: z.input<typeof newItem>): Promise<Item> {
  const item = newItem.parse(input)
  return await ctx.db.transaction(async (tx) => {
    await requireRoom(tx, ctx, [item.sku])
    const [row] = await tx
      .insert(catalogueItems)
      .values({ businessId: ctx.businessId, ...item })
      .onConflictDoUpdate({
        target: [catalogueItems.businessId, catalogueItems.sku],
        set: { ...item, updatedAt: new Date() },
      })
      .returning()
    if (!row) throw new Error('The item upsert answered no row.')
    await audit(tx, ctx, { action: 'catalogue_item.save', entity: 'catalogue_item', entityId: row.id })
    return row
  })
}

/** @throws AppError `item_not_found`, `sku_taken` */
export async function changeItem(ctx: BusinessContext, id: string, input: z.input<typeof itemChange>): Promise<Item> {
  const change = itemChange.parse(input)
  return await ctx.db.transaction(async (tx) => {
    if (change.sku !== undefined) {
      const [other] = await tx
        .select({ id: catalogueItems.id })
        .from(catalogueItems)
        .where(
          and(
            eq(catalogueItems.businessId, ctx.businessId),
            eq(catalogueItems.sku, change.sku),
            ne(catalogueItems.id, id),
          ),
        )
      if (other) throw new AppError('conflict', 'sku_taken', 'Another item has this number.', { field: 'sku' })
    }
    const set = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
    const [row] = await tx
      .update(catalogueItems)
      .set({ ...set, updatedAt: new Date() })
      .where(and(eq(catalogueItems.businessId, ctx.businessId), eq(catalogueItems.id, id)))
      .returning()
    if (!row) throw noItem()
    await audit(tx, ctx, { action: 'catalogue_item.save', entity: 'catalogue_item', entityId: id })
    return row
  })
}

/** @throws AppError `item_not_found` */
export async function removeItem(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .delete(catalogueItems)
      .where(and(eq(catalogueItems.businessId, ctx.businessId), eq(catalogueItems.id, id)))
      .returning({ id: catalogueItems.id })
    if (!row) throw noItem()
    await audit(tx, ctx, { action: 'catalogue_item.remove', entity: 'catalogue_item', entityId: id })
  })
}

/** Writes the items of a file, those that are there already by their numbers. @throws AppError `catalogue_full` */
export async function writeItems(
  ctx: BusinessContext,
  items: readonly NewItem[],
): Promise<{ created: number; updated: number }> {
  return await ctx.db.transaction(async (tx) => {
    const existing = await requireRoom(
      tx,
      ctx,
      items.map((item) => item.sku),
    )
    for (let at = 0; at < items.length; at += 200)
      await tx
        .insert(catalogueItems)
        .values(items.slice(at, at + 200).map((item) => ({ businessId: ctx.businessId, ...item })))
        .onConflictDoUpdate({
          target: [catalogueItems.businessId, catalogueItems.sku],
          set: {
            name: sql`excluded.name`,
            description: sql`excluded.description`,
            priceAgorot: sql`excluded.price_agorot`,
            currency: sql`excluded.currency`,
            pictureUrl: sql`excluded.picture_url`,
            state: sql`excluded.state`,
            stock: sql`excluded.stock`,
            attributes: sql`excluded.attributes`,
            updatedAt: new Date(),
          },
        })
    if (items.length > 0)
      await audit(tx, ctx, {
        action: 'catalogue_item.import',
        entity: 'catalogue_item',
        entityId: ctx.businessId,
        data: { items: items.length },
      })
    return { created: items.length - existing, updated: existing }
  })
}

/** One writer of a catalogue at a time, so that none passes its bound. @returns how many of the numbers are there */
async function requireRoom(tx: Executor, ctx: BusinessContext, skus: readonly string[]): Promise<number> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`catalogue:${ctx.businessId}`}, 0))`)
  const own = eq(catalogueItems.businessId, ctx.businessId)
  const [all] = await tx.select({ count: count() }).from(catalogueItems).where(own)
  const existing =
    skus.length === 0
      ? 0
      : ((
          await tx
            .select({ count: count() })
            .from(catalogueItems)
            .where(and(own, inArray(catalogueItems.sku, [...skus])))
        )[0]?.count ?? 0)
  if ((all?.count ?? 0) + skus.length - existing > MAX_ITEMS)
    throw new AppError('too_large', 'catalogue_full', `A catalogue has at most ${MAX_ITEMS} items. Remove some first.`)
  return existing
}

function noItem(): AppError {
  return new AppError('not_found', 'item_not_found', 'There is no such item.')
}
