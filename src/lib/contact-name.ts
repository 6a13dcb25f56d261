import { cleanName, countCharacters, cutCharacters } from './text.ts'

/** In Unicode code points, as Postgres and JSON Schema count: an emoji or a letter of a rare script is not two. */
export const CONTACT_NAME_MAX = 200

export function fitsContactName(name: string): boolean {
  return countCharacters(name) <= CONTACT_NAME_MAX
}

export function cutContactName(name: string | null | undefined): string | null {
  if (!name) return null
  // The name may be very long: it is cut before its characters are counted.
  return cutCharacters(cleanName(name.slice(0, 16 * CONTACT_NAME_MAX)).trim(), CONTACT_NAME_MAX) || null
}
