import { type SQL, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import { AppError } from '../lib/errors.ts'

/** Over a time and, where times are equal, an id. The cursor is opaque to clients. */
export const timePageInput = z.object({
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

const position = z.tuple([z.string().max(64), z.uuid()])

/** Rows older than the cursor's. @throws AppError `invalid_cursor` */
export function olderThan(at: PgColumn | SQL, id: PgColumn | SQL, cursor: string | undefined): SQL | undefined {
  if (cursor === undefined) return undefined
  const [time, key] = readPosition(cursor)
  return sql`(${at}, ${id}) < (${time}::timestamptz, ${key}::uuid)`
}

/** The same for a list whose soonest row comes first. @throws AppError `invalid_cursor` */
export function laterThan(at: PgColumn | SQL, id: PgColumn | SQL, cursor: string | undefined): SQL | undefined {
  if (cursor === undefined) return undefined
  const [time, key] = readPosition(cursor)
  return sql`(${at}, ${id}) > (${time}::timestamptz, ${key}::uuid)`
}

/** Postgres keeps microseconds, a Date does not: the time travels as Postgres' own text. */
export function timeText(at: PgColumn | SQL): SQL<string> {
  return sql<string>`${at}::text`
}

/** Cuts the extra row off and makes the next page's cursor of the last one. */
export function toTimePage<Row extends { id: string; atText: string }>(rows: Row[], limit: number) {
  const items = rows.slice(0, limit).map(({ atText, ...item }) => item)
  const last = rows.length > limit ? rows[limit - 1] : undefined
  return { items, nextCursor: last ? writePosition(last.atText, last.id) : null }
}

function writePosition(time: string, id: string): string {
  return Buffer.from(JSON.stringify([time, id])).toString('base64url')
}

function readPosition(cursor: string): [string, string] {
  try {
    const [time, id] = position.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
    if (!isTimestamp(time)) throw new Error('no time')
    return [time, id]
  } catch (cause) {
    throw new AppError('invalid', 'invalid_cursor', 'The cursor is not valid. Start from the first page.', {
      field: 'cursor',
      cause,
    })
  }
}

/** As Postgres writes a timestamptz: `2026-02-28 09:30:00.123456+02`, with minutes in the offset where it has some. */
const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?[+-](0\d|1[0-4])(:[0-5]\d)?$/

function isTimestamp(text: string): boolean {
  const [, year, month, day] = TIMESTAMP.exec(text) ?? []
  if (!year || !month || !day) return false
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`)
  // There is no 31st of February: the calendar rolls on, or refuses.
  return Number(year) > 0 && !Number.isNaN(date.getTime()) && date.getUTCDate() === Number(day)
}
