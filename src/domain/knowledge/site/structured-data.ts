/** Of one page: a shop lists thousands of products on one. */
const MAX_FACTS = 200
const MAX_DEPTH = 8

type Fields = Record<string, unknown>

/**
 * What a page states for machines (JSON-LD by schema.org) and people ask for: opening hours, telephone, address, prices, questions with
 * answers; as lines of text.
 */
export function factsOf(scripts: string[]): string[] {
  const lines = new Set<string>()
  for (const script of scripts) {
    let data: unknown
    try {
      data = JSON.parse(script)
    } catch {
      // Pages of people hold broken JSON; their text is there still.
      continue
    }
    collect(data, lines, 0)
  }
  return [...lines].slice(0, MAX_FACTS)
}

function collect(data: unknown, lines: Set<string>, depth: number): void {
  if (depth > MAX_DEPTH || lines.size > MAX_FACTS) return
  if (Array.isArray(data)) for (const each of data) collect(each, lines, depth + 1)
  if (!isFields(data)) return
  const name = plain(data.name)
  const add = (label: string, value: string) => {
    if (value) lines.add(name && label !== '' ? `${name}: ${label} ${value}` : `${label} ${value}`.trim())
  }
  if (data['@type'] === 'Question') {
    const answer = isFields(data.acceptedAnswer) ? plain(data.acceptedAnswer.text) : ''
    if (name && answer) lines.add(`${name}\n${answer}`)
    return
  }
  add('tel.', plain(data.telephone))
  add('e-mail', plain(data.email))
  add('address', addressOf(data.address))
  for (const hours of list(data.openingHours)) add('opening hours', plain(hours))
  for (const hours of list(data.openingHoursSpecification)) add('opening hours', hoursOf(hours))
  for (const offer of list(data.offers)) add('price', priceOf(offer))
  for (const key of ['@graph', 'mainEntity', 'itemListElement', 'item', 'department', 'location', 'provider'])
    if (data[key] !== undefined) collect(data[key], lines, depth + 1)
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value])

function plain(value: unknown): string {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string'
    ? value
        .replace(/<[^>]{0,500}>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim()
        .slice(0, 1_000)
    : ''
}

function addressOf(value: unknown): string {
  if (!isFields(value)) return plain(value)
  return [value.streetAddress, value.addressLocality, value.postalCode].map(plain).filter(Boolean).join(', ')
}

function hoursOf(value: unknown): string {
  if (!isFields(value)) return plain(value)
  const days = list(value.dayOfWeek).map((day) => plain(day).replace(/^https?:\/\/schema\.org\//, ''))
  const [opens, closes] = [plain(value.opens), plain(value.closes)]
  return opens && closes ? `${days.join(', ')} ${opens}-${closes}`.trim() : ''
}

function priceOf(value: unknown): string {
  if (!isFields(value)) return ''
  const price = plain(value.price) || plain(value.lowPrice)
  return price ? `${price} ${plain(value.priceCurrency)}`.trim() : ''
}
