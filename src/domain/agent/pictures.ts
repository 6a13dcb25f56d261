import { and, eq, gt } from 'drizzle-orm'
import { type AgentPicture, agentRuns } from '../../../db/schema/index.ts'
import type { Item } from '../catalogue/index.ts'
import { sayPrice } from '../catalogue/index.ts'
import type { BusinessContext } from '../context.ts'
import type { Situation } from './situation.ts'

/** With one answer: more is a flood. */
const MOST_PICTURES = 3
const DAY_MS = 24 * 3_600_000

/** The pictures of the items that an answer names, and that this contact did not get within a day. */
export async function picturesOf(
  ctx: BusinessContext,
  { contact }: Situation,
  text: string,
  items: readonly Item[],
  now: Date,
): Promise<AgentPicture[]> {
  const named = items.filter((item) => item.pictureUrl !== null && isNamed(item, text))
  if (named.length === 0) return []
  const runs = await ctx.db
    .select({ pictures: agentRuns.pictures })
    .from(agentRuns)
    .where(
      and(
        eq(agentRuns.businessId, ctx.businessId),
        eq(agentRuns.contactId, contact.id),
        eq(agentRuns.outcome, 'answered'),
        gt(agentRuns.createdAt, new Date(now.getTime() - DAY_MS)),
      ),
    )
    .limit(200)
  const sent = new Set(runs.flatMap(({ pictures }) => pictures.map(({ itemId }) => itemId)))
  const unique = new Map(named.map((item) => [item.id, item]))
  return [...unique.values()]
    .filter(({ id }) => !sent.has(id))
    .slice(0, MOST_PICTURES)
    .flatMap(({ id, pictureUrl }) => (pictureUrl ? [{ itemId: id, url: pictureUrl }] : []))
}

/** By its name, its number or its price. */
function isNamed({ name, sku, priceAgorot, currency }: Item, text: string): boolean {
  const hasWord = (word: string) => {
    const at = text.indexOf(word)
    return at !== -1 && !/[\p{L}\d]/u.test(`${text[at - 1] ?? ' '}${text[at + word.length] ?? ' '}`)
  }
  if (hasWord(name) || hasWord(sku)) return true
  const [price = ''] = priceAgorot === null ? [] : sayPrice(priceAgorot, currency).split(' ')
  return price.length > 2 && (hasWord(price) || hasWord(price.replaceAll(',', '')))
}
