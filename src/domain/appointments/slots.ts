import { sha256Hex } from '../../lib/ids.ts'

/** What a slot names. */
export type SlotFacts = { startsAt: Date; serviceId: string | null; staffId: string | null }

const MINUTE = 60_000

/**
 * A short name of a free time, for a model or a form: a start that no one offered, or that of another business or service, is
 * not taken for one. Whether the time is still free is looked at when it is booked.
 */
export function slotHandle(businessId: string, { startsAt, serviceId, staffId }: SlotFacts): string {
  const start = Math.round(startsAt.getTime() / MINUTE).toString(36)
  return `${start}-${sha256Hex([businessId, serviceId ?? '', staffId ?? '', start].join('|')).slice(0, 8)}`
}

/** @returns null for a handle that none of the candidates explains */
export function readSlotHandle(
  businessId: string,
  handle: string,
  candidates: Iterable<Omit<SlotFacts, 'startsAt'>>,
): SlotFacts | null {
  const [start] = handle.split('-')
  if (!start || !/^[0-9a-z]{1,8}$/.test(start)) return null
  const startsAt = new Date(Number.parseInt(start, 36) * MINUTE)
  for (const each of candidates)
    if (slotHandle(businessId, { ...each, startsAt }) === handle) return { ...each, startsAt }
  return null
}
