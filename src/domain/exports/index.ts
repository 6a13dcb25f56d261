import { z } from 'zod'
import { csvRecord } from '../../lib/escape/spreadsheet.ts'
import { listCalls } from '../calls/index.ts'
import { listContacts } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { listLeads } from '../leads/index.ts'
import { listMessages } from '../messages/index.ts'
import type { Page } from '../paging.ts'

export const EXPORT_KINDS = ['contacts', 'leads', 'messages', 'calls'] as const
export type ExportKind = (typeof EXPORT_KINDS)[number]

export const exportInput = z.object({
  kind: z.enum(EXPORT_KINDS),
  cursor: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(200).default(200),
})

export const exportPage = z.object({
  csv: z.string(),
  rows: z.number(),
  nextCursor: z.string().nullable(),
})

type Cell = string | number | null
type PageOfRows = { cursor?: string; limit: number }
type Exporter = {
  columns: string[]
  read(ctx: BusinessContext, page: PageOfRows): Promise<{ rows: Cell[][]; nextCursor: string | null }>
}

function exporter<Row>(
  list: (ctx: BusinessContext, page: PageOfRows) => Promise<Page<Row>>,
  columns: Record<string, (row: Row) => Cell>,
): Exporter {
  const cells = Object.values(columns)
  return {
    columns: Object.keys(columns),
    async read(ctx, page) {
      const { items, nextCursor } = await list(ctx, page)
      return { rows: items.map((row) => cells.map((cell) => cell(row))), nextCursor }
    },
  }
}

const time = (at: Date | null) => at?.toISOString() ?? null

const EXPORTERS: Record<ExportKind, Exporter> = {
  contacts: exporter(listContacts, {
    id: (row) => row.id,
    phone: (row) => row.phone,
    name: (row) => row.name,
    email: (row) => row.email,
    tags: (row) => row.tags.join('|'),
    custom: (row) => (Object.keys(row.custom).length > 0 ? JSON.stringify(row.custom) : null),
    'opted out': (row) => time(row.optedOutAt),
    created: (row) => time(row.createdAt),
  }),
  leads: exporter(listLeads, {
    id: (row) => row.id,
    phone: (row) => row.phone,
    name: (row) => row.name,
    inquiry: (row) => row.inquiry,
    stage: (row) => row.stage,
    value: (row) => (row.valueAgorot === null ? null : (row.valueAgorot / 100).toFixed(2)),
    source: (row) => row.source,
    'call back': (row) => row.callbackTime,
    owner: (row) => row.ownerId,
    created: (row) => time(row.createdAt),
  }),
  messages: exporter(listMessages, {
    id: (row) => row.id,
    at: (row) => time(row.occurredAt),
    direction: (row) => row.direction,
    provider: (row) => row.provider,
    phone: (row) => row.phone,
    name: (row) => row.contactName,
    status: (row) => row.status,
    kind: (row) => row.kind,
    text: (row) => row.body,
    files: (row) => row.media.map((file) => file.fileName ?? file.url ?? file.kind).join('|') || null,
    transcript: (row) => row.media.flatMap((file) => file.transcript ?? []).join('\n') || null,
    'reply to': (row) => row.replyTo?.id ?? row.replyTo?.providerMessageId ?? null,
    reactions: (row) => row.reactions.map((reaction) => reaction.emoji).join(' ') || null,
    edited: (row) => time(row.editedAt),
    deleted: (row) => time(row.deletedAt),
    data: (row) => (Object.keys(row.data).length > 0 ? JSON.stringify(row.data) : null),
  }),
  calls: exporter(listCalls, {
    id: (row) => row.id,
    started: (row) => time(row.startedAt),
    from: (row) => row.from,
    to: (row) => row.to,
    name: (row) => row.contactName,
    state: (row) => row.state,
    reason: (row) => row.endReason,
    seconds: (row) => (row.durationMs === null ? null : Math.round(row.durationMs / 1_000)),
  }),
}

/** One page of an export. Cells that a spreadsheet would run as a formula are marked as text. */
export async function exportCsv(ctx: BusinessContext, input: z.input<typeof exportInput>) {
  const { kind, cursor, limit } = exportInput.parse(input)
  const exporter = EXPORTERS[kind]
  const page = await exporter.read(ctx, { limit, ...(cursor ? { cursor } : {}) })
  const csv = (cursor ? page.rows : [exporter.columns, ...page.rows]).map(csvRecord).join('')
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
