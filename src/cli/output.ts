/** Rows for a person; columns are as wide as they must be. */
export function formatTable(columns: string[], rows: string[][]): string {
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
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`
}

/** Writes to standard output and waits until it is out: a pipe that is read slowly loses nothing when the process ends. */
export async function print(text: string): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()))
}
