import { hmacSha256, secretsEqual } from '../../lib/ids.ts'

export type BookingLinks = {
  /** Where a customer sees, moves or cancels their appointment. */
  urlOf(appointmentId: string): string
  tokenOf(appointmentId: string): string
  verify(appointmentId: string, token: string): boolean
  /** Where someone sees that they wait, and leaves the waiting list. */
  waitingUrlOf(waitingId: string): string
  verifyWaiting(waitingId: string, token: string): boolean
  /** The page where anybody books. */
  pageOf(slug: string): string
}

/** @param baseUrl of `/book` */
export function createBookingLinks(secret: string, baseUrl: string): BookingLinks {
  const tokenOf = (id: string) => hmacSha256(secret, `appointment:${id}`).slice(0, 32)
  const waitingTokenOf = (id: string) => hmacSha256(secret, `waiting:${id}`).slice(0, 32)
  return {
    waitingUrlOf: (id) => `${baseUrl}/w/${id}/${waitingTokenOf(id)}`,
    verifyWaiting: (id, token) => secretsEqual(waitingTokenOf(id), token),
    tokenOf,
    urlOf: (id) => `${baseUrl}/a/${id}/${tokenOf(id)}`,
    verify: (id, token) => secretsEqual(tokenOf(id), token),
    pageOf: (slug) => `${baseUrl}/${slug}`,
  }
}
