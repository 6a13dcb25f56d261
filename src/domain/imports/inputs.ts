import { z } from 'zod'
import { ENCODINGS } from '../../lib/decode-csv.ts'
import { AppError } from '../../lib/errors.ts'
import { AMOUNT_STYLES } from './amounts.ts'
import type { CsvInput } from './csv-file.ts'
import { DATE_STYLES } from './dates.ts'
import { columnMapping, IMPORT_KINDS } from './fields.ts'

/** In characters of a text; some 100,000 rows. */
const MAX_CSV_LENGTH = 8_000_000
/** In bytes of a file: what fits into a request of 10 MB in base64. */
export const MAX_CSV_BYTES = 7_800_000

export const importInput = z.object({
  kind: z.enum(IMPORT_KINDS),
  csv: z.string().min(1).max(MAX_CSV_LENGTH).optional(),
  /** Instead of `csv`: the file as it is, in base64. Its encoding is found out, or `encoding` says it. */
  file: z
    .base64()
    .min(1)
    .max(Math.ceil(MAX_CSV_BYTES / 3) * 4)
    .optional(),
  encoding: z.enum(ENCODINGS).optional(),
  /** Left out, it is read from the headings. */
  mapping: columnMapping.optional(),
  /** false: the file has no line of headings; its columns are called `1`, `2`, … */
  heading: z.boolean().default(true),
  /** How amounts like `1,234` are meant. Left out, the file's other amounts decide; where they do not, such rows are refused. */
  amounts: z.enum(AMOUNT_STYLES).optional(),
  /** How dates like `03/05/2024` are meant; the same. */
  dates: z.enum(DATE_STYLES).optional(),
})
export type ImportInput = z.output<typeof importInput>

export const previewInput = importInput.extend({
  /** The first of the rows that are shown, by its number in the file. */
  from: z.int().min(0).default(0),
  limit: z.int().min(0).max(500).default(20),
})

/** @throws AppError `invalid_csv` */
export function toCsvInput(input: ImportInput): CsvInput {
  if ((input.csv === undefined) === (input.file === undefined))
    throw new AppError('invalid', 'invalid_csv', 'Send either `csv`, a text, or `file`, the bytes in base64.', {
      field: 'csv',
    })
  return {
    kind: input.kind,
    source: input.file === undefined ? (input.csv ?? '') : new Uint8Array(Buffer.from(input.file, 'base64')),
    encoding: input.encoding ?? null,
    mapping: input.mapping ?? null,
    heading: input.heading,
    amounts: input.amounts ?? null,
    dates: input.dates ?? null,
  }
}
