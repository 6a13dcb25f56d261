/** More of a table is not read: it is data for a program, not what a business tells its customers. */
export const MAX_TABLE_ROWS = 20_000
const MAX_CELL = 2_000

/**
 * A table as lines that can be found and quoted alone: `heading: value; heading: value`. Without headings (a first row with an empty
 * or repeated cell) the cells stand beside each other.
 */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const table = rows
    .slice(0, MAX_TABLE_ROWS)
    .map((row) => row.map((cell) => cell.replace(/\s+/g, ' ').trim().slice(0, MAX_CELL)))
    .filter((row) => row.some((cell) => cell !== ''))
  const headings = headingsOf(table)
  if (!headings) return table.map((row) => row.filter((cell) => cell !== '').join(' | '))
  return table.slice(1).map((row) =>
    row
      .flatMap((cell, index) => {
        const heading = headings[index]
        return cell === '' ? [] : [heading ? `${heading}: ${cell}` : cell]
      })
      .join('; '),
  )
}

/** The first row, when it names every column that the rows below fill and holds no number. */
function headingsOf(table: string[][]): string[] | null {
  const [first, ...rest] = table
  if (!first || rest.length === 0) return null
  const width = Math.max(...rest.map((row) => row.findLastIndex((cell) => cell !== '') + 1))
  const names = first.slice(0, width)
  const named =
    names.length === width && width > 1 && names.every((name) => name !== '' && !/^[\d.,:/₪$€%\s-]+$/.test(name))
  return named && new Set(names).size === names.length ? names : null
}
