import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** A new UUIDv7: sorted by creation time, which suits the indexes of primary keys. */
export function newId(): string {
  return Bun.randomUUIDv7()
}

/** Hex SHA-256. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

export function hmacSha256(key: string, data: string): string {
  return createHmac('sha256', key).update(data).digest('base64url')
}

/** Compares two secrets in constant time; lengths may differ. */
export function secretsEqual(a: string, b: string): boolean {
  const digest = (value: string) => createHash('sha256').update(value).digest()
  return timingSafeEqual(digest(a), digest(b))
}

/** The smallest UUIDv7 of a moment: ids made since are not below it (RFC 9562, section 5.7). */
export function firstIdAt(at: Date): string {
  const hex = Math.max(0, at.getTime()).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}
