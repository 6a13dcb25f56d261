import { terminalJson, terminalLine, terminalText } from '../lib/escape/terminal.ts'
import { cutText } from '../lib/text.ts'

/** A longer cell pushes its neighbours out of sight. `--json` has everything. */
const MAX_CELL = 300

/** Rows for a person; columns are as wide as they must be. A cell stays on its line and in its column, whatever it holds. */
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

/** A moment as a person reads it, in the local time zone. */
export function formatTime(iso: string | Date | null): string {
  if (!iso) return ''
  const date = new Date(iso)
  const pad = (value: number) => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
}

/** Text cut to a width. */
export function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${cutText(text, width - 1)}…`
}

/** Text of several lines that cannot be taken for the lines around it. */
export function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}

/** A heading beside what somebody wrote, on one line. */
export function formatLine(...parts: (string | null | undefined)[]): string {
  return parts
    .map((part) => terminalLine(part ?? ''))
    .join('  ')
    .trimEnd()
}

/**
 * Writes to standard output and waits until it is out: a pipe that is read slowly loses nothing when the process ends. Controls
 * and whatever else is not seen as it is are written out: what people send does not steer the terminal of who reads it.
 */
export async function print(text: string): Promise<void> {
  await write(terminalText(text))
}

/** Data for a program: unchanged, and safe on a terminal. */
export async function printJson(data: unknown): Promise<void> {
  await write(`${terminalJson(data)}\n`)
}

/** Text for a person on standard error. */
export function printError(text: string): void {
  process.stderr.write(`${terminalText(text)}\n`)
}

/** For files that are written to standard output: a program gets them byte by byte, a terminal as `print` does. */
export async function printRaw(text: string): Promise<void> {
  await (process.stdout.isTTY ? print(text) : write(text))
}

async function write(text: string): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()))
}
