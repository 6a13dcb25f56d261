import { and, asc, eq, gt, inArray, isNull, or, sql } from 'drizzle-orm'
import { catalogueItems } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import { SearchIndex } from '../knowledge/index.ts'
import { type Item, MAX_ITEMS } from './items.ts'

export type Entry = { item: Item; title: string; body: string }
type Kept = { signature: string; items: Item[]; index: SearchIndex<Entry> }

const MAX_KEPT = 50
/** The catalogues of businesses, the one used last at the end; each is compared with the database before it is used. */
const kept = new Map<string, Kept>()

/** What of a business's catalogue can be had, indexed: a call does not wait while thousands of items are read anew. */
export async function catalogueOf(ctx: BusinessContext): Promise<Kept> {
  const signature = await signatureOf(ctx)
  const there = kept.get(ctx.businessId)
  const catalogue = there?.signature === signature ? there : await read(ctx, signature)
  kept.delete(ctx.businessId)
  kept.set(ctx.businessId, catalogue)
  for (const [businessId] of kept) if (kept.size > MAX_KEPT) kept.delete(businessId)
  return catalogue
}

async function read(ctx: BusinessContext, signature: string): Promise<Kept> {
  const items = await ctx.db
    .select()
    .from(catalogueItems)
    .where(
      and(
        eq(catalogueItems.businessId, ctx.businessId),
        inArray(catalogueItems.state, ['available', 'reserved']),
        or(isNull(catalogueItems.stock), gt(catalogueItems.stock, 0)),
      ),
    )
    .orderBy(asc(catalogueItems.id))
    .limit(MAX_ITEMS)
  const entries = items.map((item) => ({ item, title: `${item.name} ${item.sku}`, body: bodyOf(item) }))
  return { signature, items, index: await SearchIndex.of(entries) }
}

const YES = /^(?:כן|יש|yes|true|v|✓)$/i
const NO = /^(?:לא|אין|no|false|x|-)$/i

/** "Balcony: yes" is found by the balcony, and "balcony: no" is not. */
function bodyOf({ description, attributes }: Item): string {
  const written = Object.entries(attributes).flatMap(([name, value]) => {
    const text = String(value).trim()
    return NO.test(text) ? [] : [YES.test(text) ? name : `${name} ${text}`]
  })
  return [description, ...written].join('\n')
}

/** Changes with every row that is written or removed: `xmin` is the transaction that wrote it. */
async function signatureOf(ctx: BusinessContext): Promise<string> {
  const [row] = await ctx.db
    .select({
      signature: sql<string>`count(*) || ' ' || coalesce(sum(hashtext(${catalogueItems.id}::text || "catalogue_items".xmin::text)::bigint), 0)`,
    })
    .from(catalogueItems)
    .where(eq(catalogueItems.businessId, ctx.businessId))
  return row?.signature ?? ''
}
