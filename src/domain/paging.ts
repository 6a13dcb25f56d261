import { and, desc, type SQL, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import { z } from 'zod'

/** Newest first, over the UUIDv7 key: `cursor` is the last id of the page before. */
export const pageInput = z.object({
  cursor: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

/** An instant in a filter: ISO 8601 with an offset, in years that Postgres reads too. */
export const timeFilter = z.iso
  .datetime({ offset: true })
  .refine((text) => new Date(text).getUTCFullYear() >= 1, 'wants a year from 0001 on')
export type PageInput = z.input<typeof pageInput>

export type Page<Row> = { items: Row[]; nextCursor: string | null }

/** The WHERE, ORDER BY and LIMIT of a page; one row more than asked tells whether there is a next page. */
export function pageQuery(key: PgColumn, input: z.output<typeof pageInput>, ...where: (SQL | undefined)[]) {
  return {
    where: and(...where, input.cursor ? sql`${key} < ${input.cursor}` : undefined),
    orderBy: desc(key),
    limit: input.limit + 1,
  }
}

export function toPage<Row extends { id: string }>(rows: Row[], limit: number): Page<Row> {
  const items = rows.slice(0, limit)
  return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null }
}
