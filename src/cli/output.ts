import { terminalJson, terminalLine, terminalText } from '../lib/escape/terminal.ts'
import { cutText } from '../lib/text.ts'

/** Longer cells are cut; `--json` has the whole text. */
const MAX_CELL = 300

/** A table for a terminal. A cell stays on its line and in its column, whatever text it contains. */
export function formatTable(columns: string[], cells: string[][]): string {
  const rows = cells.map((row) => row.map((cell) => terminalLine(shorten(cell, MAX_CELL))))
  const widths = columns.map((name, index) =>
    Math.max(name.length, ...rows.map((row) => Bun.stringWidth(row[index] ?? ''))),
  )
  const line = (cells: string[]) =>
    cells
      .map((cell, index) => cell + ' '.repeat((widths[index] ?? 0) - Bun.stringWidth(cell)))
      .join('  ')
      .trimEnd()
  return [line(columns.map((name) => name.toUpperCase())), ...(rows.length === 0 ? ['(none)'] : rows.map(line))].join(
    '\n',
  )
}

export function formatTime(iso: string | Date | null): string {
  if (!iso) return ''
  const date = new Date(iso)
  const pad = (value: number) => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
}

export function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${cutText(text, width - 1)}…`
}

/** Indents a text of several lines, so that no line of it looks like a line of the output. */
export function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}

export function formatLine(...parts: (string | null | undefined)[]): string {
  return parts
    .map((part) => terminalLine(part ?? ''))
    .join('  ')
    .trimEnd()
}

/**
 * Writes to standard output and waits until written; escapes control and invisible characters against terminal injection.
 */
export async function print(text: string): Promise<void> {
  await write(terminalText(text))
}

export async function printJson(data: unknown): Promise<void> {
  await write(`${terminalJson(data)}\n`)
}

export function printError(text: string): void {
  process.stderr.write(`${terminalText(text)}\n`)
}

/** A file on standard output: unchanged in a pipe, escaped on a terminal. */
export async function printRaw(text: string): Promise<void> {
  await (process.stdout.isTTY ? print(text) : write(text))
}

async function write(text: string): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()))
}
