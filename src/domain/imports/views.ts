import { z } from 'zod'
import { imports } from '../../../db/schema/index.ts'
import { ENCODINGS } from '../../lib/decode-csv.ts'
import { columnMapping, IMPORT_KINDS } from './fields.ts'

const importError = z.object({
  row: z.number(),
  column: z.string().nullable(),
  message: z.string(),
  code: z.string().optional().meta({ description: 'Stable, for programs; `message` is in English.' }),
})

const rowOutcome = z.enum(['created', 'updated', 'existing', 'rejected', 'blank'])

/** Every row is in exactly one of these: their sum is `total`. */
const outcomes = {
  created: z.number(),
  updated: z.number(),
  existing: z.number(),
  rejected: z.number(),
  blank: z.number(),
}

export const importPreview = z.object({
  /** Null when the text was sent. */
  encoding: z.enum(ENCODINGS).nullable(),
  delimiter: z.string(),
  /** The row of the headings; 0 when there is none. */
  headingRow: z.number(),
  columns: z.array(z.string()),
  mapping: columnMapping,
  total: z.number(),
  valid: z.number(),
  ...outcomes,
  /** What is good to know, such as columns that are not read. */
  notices: z.array(z.string()),
  /** What the file can mean in two ways: answer with `amounts` or `dates`, or the rows in doubt are left out. */
  questions: z.array(
    z.object({
      field: z.enum(['amounts', 'dates']),
      column: z.string(),
      rows: z.number(),
      examples: z.array(z.string()),
      choices: z.array(z.string()),
    }),
  ),
  rows: z.array(
    z.object({
      row: z.number(),
      outcome: rowOutcome,
      phone: z.string().nullable(),
      name: z.string().nullable(),
      email: z.string().nullable(),
      tags: z.array(z.string()),
      note: z.string().nullable(),
      inquiry: z.string().nullable(),
      stage: z.string().nullable(),
      valueAgorot: z.number().nullable(),
      date: z.string().nullable(),
      optedOut: z.boolean(),
      custom: z.record(z.string(), z.string()),
      errors: z.array(importError),
    }),
  ),
  /** `from` of the next rows; null at the end. */
  nextRow: z.number().nullable(),
  /** Why rows are refused; the first few hundred. */
  errors: z.array(importError),
})
export type ImportPreview = z.infer<typeof importPreview>

export const importView = z.object({
  id: z.uuid(),
  kind: z.enum(IMPORT_KINDS),
  state: z.enum(imports.state.enumValues),
  total: z.number(),
  processed: z.number(),
  ...outcomes,
  failure: z.string().nullable(),
  errors: z.array(importError),
  createdAt: z.date(),
  updatedAt: z.date(),
})

export const rejectsInput = z.object({
  id: z.uuid(),
  /** The last row of the page before. */
  cursor: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(200),
})

export const rejectsPage = z.object({
  csv: z.string(),
  rows: z.number(),
  nextCursor: z.number().nullable(),
})
