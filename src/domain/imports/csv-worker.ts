import { AppError, type ErrorKind, errorMessage } from '../../lib/errors.ts'
import { sha256Hex } from '../../lib/ids.ts'
import { type CsvFile, type CsvInput, type CsvRow, type CsvSummary, openCsvFile } from './csv-file.ts'

export type CsvRequest =
  | { kind: 'open'; input: CsvInput; skip: number; withText: boolean }
  | { kind: 'rows'; count: number }

export type CsvReply =
  | { kind: 'opened'; summary: CsvSummary; text: string | null; textHash: string | null }
  | { kind: 'rows'; rows: CsvRow[] }
  | {
      kind: 'error'
      error: { kind: ErrorKind; code: string; message: string; field: string | null } | null
      reason: string
    }

declare const self: Worker

let rows: Generator<CsvRow> | null = null

function answer(request: CsvRequest): CsvReply {
  if (request.kind === 'open') {
    const file = openCsvFile(request.input)
    rows = file.rows()
    take(request.skip)
    return { kind: 'opened', summary: file.summary, ...textOf(file, request.withText) }
  }
  return { kind: 'rows', rows: take(request.count) }
}

function textOf({ text }: CsvFile, wanted: boolean) {
  return wanted ? { text, textHash: sha256Hex(text) } : { text: null, textHash: null }
}

function take(count: number): CsvRow[] {
  const taken: CsvRow[] = []
  while (taken.length < count) {
    const next = rows?.next()
    if (!next || next.done) break
    taken.push(next.value)
  }
  return taken
}

self.onmessage = ({ data }: MessageEvent<CsvRequest>) => {
  let reply: CsvReply
  try {
    reply = answer(data)
  } catch (error) {
    const known =
      error instanceof AppError
        ? { kind: error.kind, code: error.code, message: error.message, field: error.field ?? null }
        : null
    reply = { kind: 'error', error: known, reason: errorMessage(error) }
  }
  self.postMessage(reply)
}
