import { cleanText, countCharacters, cutCharacters } from './text.ts'

/** In Unicode code points, as Postgres and JSON Schema count: an emoji or a letter of a rare script is not two. */
export const CONTACT_NAME_MAX = 200

export function fitsContactName(name: string): boolean {
  return countCharacters(name) <= CONTACT_NAME_MAX
}

/** The name that a channel gives of somebody, as it is kept: clean, cut by whole characters; null when there is none. */
export function cutContactName(name: string | null | undefined): string | null {
  if (!name) return null
  // A bound before it is walked: what stands there may be a book.
  return cutCharacters(cleanText(name.slice(0, 16 * CONTACT_NAME_MAX)).trim(), CONTACT_NAME_MAX) || null
}
