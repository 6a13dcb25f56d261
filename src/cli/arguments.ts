import { Argument, InvalidArgumentError, Option } from 'commander'

const MOST = 100_000

/** `--limit <n>`, a whole number. */
export function limitOption(): Option {
  return new Option('--limit <n>', 'how many').default(20).argParser((text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < 1 || value > MOST) throw new InvalidArgumentError(`A number from 1 to ${MOST}.`)
    return value
  })
}

/** `--lang`, of those that the receptionist speaks. */
export function languageOption(): Option {
  return new Option('--lang <language>', 'what is spoken').choices(['he', 'en'])
}

/** An argument that is one of our ids. */
export function idArgument(description: string, name = '<id>'): Argument {
  return new Argument(name, description).argParser((text) => {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
      throw new InvalidArgumentError('An id looks like 01a203ae-73bc-74cc-8959-8439a1df5b93; `list` shows them.')
    return text
  })
}

/** Most rows that a list answers at once (`pageInput`). */
const PAGE = 200

/** Reads a list page by page until there are as many as asked for. */
export async function take<Item>(
  limit: number,
  page: (input: { limit: number; cursor?: string }) => Promise<{ items: Item[]; nextCursor: string | null }>,
): Promise<Item[]> {
  const items: Item[] = []
  let cursor: string | null = null
  do {
    const next = await page({ limit: Math.min(PAGE, limit - items.length), ...(cursor ? { cursor } : {}) })
    items.push(...next.items)
    cursor = next.nextCursor
  } while (cursor && items.length < limit)
  return items
}
