import { Argument, InvalidArgumentError, Option } from 'commander'
import type { z } from 'zod'
import type { businessSettings } from '../domain/businesses/index.ts'

const MAX_LIMIT = 100_000

export function limitOption(): Option {
  return new Option('--limit <n>', 'how many rows').default(20).argParser((text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < 1 || value > MAX_LIMIT)
      throw new InvalidArgumentError(`It must be a number from 1 to ${MAX_LIMIT}.`)
    return value
  })
}

export type Language = z.infer<typeof businessSettings>['language']
// Written out: the schema would bring a quarter of the domain into the start of every command.
const LANGUAGES = Object.keys({ he: true, en: true } satisfies Record<Language, true>)

export function languageOption(): Option {
  return new Option('--lang <language>', 'the language that is spoken').choices(LANGUAGES)
}

export function idArgument(description: string, name = '<id>'): Argument {
  return new Argument(name, description).argParser((text) => {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
      throw new InvalidArgumentError(
        'It must be an id, such as 01a203ae-73bc-74cc-8959-8439a1df5b93; `list` shows the ids.',
      )
    return text
  })
}

const PAGE = 200

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
