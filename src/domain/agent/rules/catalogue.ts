import { type CatalogueQuery, catalogueQuery } from '../../receptionist/index.ts'

const NUMBER = '(\\d+(?:[.,]\\d+)*)'
const ROOMS = new RegExp(`${NUMBER}\\s*(?:חדרים|חדר|חד'|rooms?|bedrooms?)(?!\\p{L})`, 'iu')
const UP_TO = new RegExp(
  `(?<!\\p{L})(?:עד|מקסימום|up to|under|below|max(?:imum)?)\\s*(?:₪|\\$|€)?\\s*${NUMBER}\\s*(מיליון|מליון|אלף|million|m|k|thousand)?(?!\\p{L})`,
  'iu',
)
/** Below it, "until 18" is an hour and not an amount. */
const LEAST_AMOUNT = 50

/** What a question looks for in the catalogue: its words, rooms and the highest price. */
export function readCatalogueQuery(question: string): { query: CatalogueQuery; isNamed: boolean } {
  const rooms = ROOMS.exec(question)
  const price = UP_TO.exec(question)
  const amount = price ? amountOf(price[1] ?? '', price[2] ?? '') : 0
  const maxPrice = amount >= LEAST_AMOUNT ? amount : null
  const words = [rooms?.[0], maxPrice === null ? null : price?.[0]]
    .reduce<string>((text, part) => (part ? text.replace(part, ' ') : text), question)
    .trim()
  const query = catalogueQuery.parse({
    ...(words ? { query: words.slice(0, 200) } : {}),
    ...(rooms
      ? { min_rooms: Number(rooms[1]?.replace(',', '.')), max_rooms: Number(rooms[1]?.replace(',', '.')) }
      : {}),
    ...(maxPrice === null ? {} : { max_price: maxPrice }),
  })
  return { query, isNamed: rooms !== null || maxPrice !== null }
}

function amountOf(number: string, unit: string): number {
  const plain = unit ? Number(number.replace(',', '.')) : Number(number.replace(/,(?=\d{3})/g, ''))
  const times = /^(?:מיליון|מליון|million|m)$/i.test(unit) ? 1e6 : unit ? 1e3 : 1
  return Number.isFinite(plain) ? plain * times : 0
}
