import { stringify } from 'csv-stringify/sync'
import { z } from 'zod'
import { listCalls } from '../calls/index.ts'
import { listContacts } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { listLeads } from '../leads/index.ts'
import { listMessages } from '../messages/index.ts'

export const EXPORT_KINDS = ['contacts', 'leads', 'messages', 'calls'] as const
export type ExportKind = (typeof EXPORT_KINDS)[number]

export const exportInput = z.object({
  kind: z.enum(EXPORT_KINDS),
  cursor: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(200).default(200),
})

export const exportPage = z.object({
  /** CSV lines; the first page begins with the headings. */
  csv: z.string(),
  rows: z.number(),
  nextCursor: z.string().nullable(),
})

type Cell = string | number | null
type Exporter = {
  columns: string[]
  read(
    ctx: BusinessContext,
    page: { cursor?: string; limit: number },
  ): Promise<{ rows: Cell[][]; nextCursor: string | null }>
}

const time = (at: Date | null) => at?.toISOString() ?? null

const EXPORTERS: Record<ExportKind, Exporter> = {
  contacts: {
    columns: ['id', 'phone', 'name', 'email', 'tags', 'custom', 'opted out', 'created'],
    async read(ctx, page) {
      const { items, nextCursor } = await listContacts(ctx, page)
      return {
        nextCursor,
        rows: items.map((row) => [
          row.id,
          row.phone,
          row.name,
          row.email,
          row.tags.join('|'),
          Object.keys(row.custom).length > 0 ? JSON.stringify(row.custom) : null,
          time(row.optedOutAt),
          time(row.createdAt),
        ]),
      }
    },
  },
  leads: {
    columns: ['id', 'phone', 'name', 'wish', 'stage', 'value', 'source', 'call back', 'owner', 'created'],
    async read(ctx, page) {
      const { items, nextCursor } = await listLeads(ctx, page)
      return {
        nextCursor,
        rows: items.map((row) => [
          row.id,
          row.phone,
          row.name,
          row.wish,
          row.stage,
          row.valueAgorot === null ? null : (row.valueAgorot / 100).toFixed(2),
          row.source,
          row.callbackTime,
          row.ownerId,
          time(row.createdAt),
        ]),
      }
    },
  },
  messages: {
    columns: ['id', 'at', 'direction', 'provider', 'phone', 'name', 'status', 'text'],
    async read(ctx, page) {
      const { items, nextCursor } = await listMessages(ctx, page)
      return {
        nextCursor,
        rows: items.map((row) => [
          row.id,
          time(row.occurredAt),
          row.direction,
          row.provider,
          row.phone,
          row.contactName,
          row.status,
          row.body,
        ]),
      }
    },
  },
  calls: {
    columns: ['id', 'started', 'from', 'to', 'name', 'state', 'reason', 'seconds'],
    async read(ctx, page) {
      const { items, nextCursor } = await listCalls(ctx, page)
      return {
        nextCursor,
        rows: items.map((row) => [
          row.id,
          time(row.startedAt),
          row.from,
          row.to,
          row.contactName,
          row.state,
          row.endReason,
          row.durationMs === null ? null : Math.round(row.durationMs / 1_000),
        ]),
      }
    },
  },
}

/** One page of an export. Cells that a spreadsheet would run as a formula are marked as text. */
export async function exportCsv(ctx: BusinessContext, input: z.input<typeof exportInput>) {
  const { kind, cursor, limit } = exportInput.parse(input)
  const exporter = EXPORTERS[kind]
  const page = await exporter.read(ctx, { limit, ...(cursor ? { cursor } : {}) })
  const csv = stringify(cursor ? page.rows : [exporter.columns, ...page.rows], {
    escape_formulas: true,
    record_delimiter: '\r\n',
  })
  return { csv, rows: page.rows.length, nextCursor: page.nextCursor }
}

/** A whole export, page by page; begins with the mark by which spreadsheets know UTF-8. */
export async function* streamExport(ctx: BusinessContext, kind: ExportKind): AsyncGenerator<string> {
  yield '\ufeff'
  let cursor: string | undefined
  do {
    const page = await exportCsv(ctx, { kind, ...(cursor ? { cursor } : {}) })
    yield page.csv
    cursor = page.nextCursor ?? undefined
  } while (cursor)
}
