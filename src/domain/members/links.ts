import { randomBytes } from 'node:crypto'
import { sha256Hex } from '../../lib/ids.ts'
import type { SecretBox } from '../../lib/secret-box.ts'

export type LinkDeps = {
  url(page: 'invite' | 'reset', token: string): string
  /** Seals mail that waits; null where no mail can be sent, and links are handed over by hand. */
  mailBox: SecretBox | null
}

/** How passwords are judged and stored. Handed in by the composition root: the domain hashes nothing. */
export type PasswordDeps = {
  /** @throws AppError `password_too_short`, `password_too_long`, `password_too_common` */
  check(password: string, about: string[]): Promise<void>
  hash(password: string): Promise<string>
}

export function newLinkToken(): { token: string; hash: string } {
  const token = randomBytes(32).toString('base64url')
  return { token, hash: hashLinkToken(token) }
}

/** Tokens are random, so a plain hash is safe. */
export function hashLinkToken(token: string): string {
  return sha256Hex(token)
}
