import type { BusinessContext } from '../context.ts'
import { hasWordsOf, type SearchIndex } from '../knowledge/index.ts'
import type { CatalogueQuery } from '../receptionist/index.ts'
import { attributeName } from './attributes.ts'
import { type Item, MAX_ITEMS } from './items.ts'
import { catalogueOf, type Entry } from './memory.ts'

/** How many items a customer is shown: people read few, and hear fewer. */
const SHOWN = 4
/** What an item must prove of the words, where words alone are asked. */
const MATCH_SHARE = 0.25

/** Available items that fit, the best first, and how many there are. */
export async function searchCatalogue(
  ctx: BusinessContext,
  query: CatalogueQuery,
): Promise<{ items: Item[]; total: number; empty: boolean }> {
  const { items, index } = await catalogueOf(ctx)
  const fitting = new Set(items.filter((item) => fits(item, query)))
  const found = query.query ? byWords(index, fitting, query.query, isFiltered(query)) : byPrice([...fitting])
  return { items: found.slice(0, SHOWN), total: found.length, empty: items.length === 0 }
}

const isFiltered = ({ query: _, ...filters }: CatalogueQuery) =>
  Object.values(filters).some((value) => value !== undefined)

function fits(item: Item, query: CatalogueQuery): boolean {
  const { area, min_price = 0, max_price = Infinity, attributes = [] } = query
  const { priceAgorot: price } = item
  return (
    // What has no price may be had at any.
    (price === null || (price >= Math.round(min_price * 100) && price <= Math.round(max_price * 100))) &&
    inRange(item, 'rooms', query.min_rooms, query.max_rooms) &&
    inRange(item, 'size', query.min_size, query.max_size) &&
    (area === undefined || isIn(item, area)) &&
    attributes.every(({ name, value, min, max }) => has(item, attributeName(name), { value, min, max }))
  )
}

/** What is not written of an item does not fit. */
function inRange(item: Item, name: string, min?: number, max?: number): boolean {
  if (min === undefined && max === undefined) return true
  const value = item.attributes[name]
  return typeof value === 'number' && value >= (min ?? -Infinity) && value <= (max ?? Infinity)
}

function isIn({ attributes, name, description }: Item, area: string): boolean {
  const written = attributes.area === undefined ? `${name}\n${description}` : `${attributes.area}\n${name}`
  return hasWordsOf(written, area)
}

function has(
  item: Item,
  name: string,
  wanted: { value: string | undefined; min: number | undefined; max: number | undefined },
): boolean {
  if (!inRange(item, name, wanted.min, wanted.max)) return false
  if (wanted.value === undefined) return true
  const value = item.attributes[name]
  return value === undefined
    ? hasWordsOf(`${item.name}\n${item.description}`, wanted.value)
    : String(value) === wanted.value || hasWordsOf(String(value), wanted.value)
}

function byWords(index: SearchIndex<Entry>, fitting: ReadonlySet<Item>, words: string, alsoFiltered: boolean): Item[] {
  const found = index
    .search(words, MAX_ITEMS)
    .filter(({ text, share }) => share >= MATCH_SHARE && fitting.has(text.item))
    .map(({ text }) => text.item)
  // "An apartment": a word that all have, or none, says nothing beside the filters.
  return found.length === 0 && alsoFiltered ? byPrice([...fitting]) : found
}

function byPrice(items: Item[]): Item[] {
  return items.toSorted((a, b) => (a.priceAgorot ?? Infinity) - (b.priceAgorot ?? Infinity))
}

/** An item as a model is shown it: amounts as people say them. */
export function sayItem({ sku, name, description, priceAgorot, currency, state, stock, attributes, pictureUrl }: Item) {
  return {
    number: sku,
    name,
    text: description.slice(0, 400),
    ...(priceAgorot === null ? {} : { price: sayPrice(priceAgorot, currency) }),
    ...(state === 'reserved' ? { reserved: true } : {}),
    ...(stock === null ? {} : { stock }),
    attributes,
    picture: pictureUrl !== null,
  }
}

const SIGNS = { ILS: '₪', USD: '$', EUR: '€' } as const

/** Such as `2,450,000 ₪`. */
export function sayPrice(agorot: number, currency: keyof typeof SIGNS): string {
  const digits = agorot % 100 === 0 ? 0 : 2
  const number = new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return `${number.format(agorot / 100)} ${SIGNS[currency]}`
}
