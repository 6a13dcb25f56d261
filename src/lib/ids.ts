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
