/** The beginning of a formula (OWASP, "CSV Injection"), with the full-width forms. */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/
/** Characters that programs drop at the beginning of a cell: a formula may follow them. */
const SKIPPED = /^[\s\p{Cf}\p{Cc}"']+(?=[=+\-@\uFF1D\uFF0B\uFF0D\uFF20])/u
/** Needs no quotes, whatever the delimiter of the reader. */
const PLAIN = /^(?! )[\p{L}\p{M}\p{N}_.:@/+ -]*(?<! )$/u

/** One CSV record (RFC 4180) with its line end. A text that looks like a formula gets an apostrophe. */
export function csvRecord(cells: readonly (string | number | null)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

function csvCell(value: string | number | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value)
  if (PLAIN.test(value) && !FORMULA.test(value)) return value
  return `"${markFormula(value).replaceAll('"', '""')}"`
}

function markFormula(text: string): string {
  // A text that looks marked is marked too, so that unmarking is always exact.
  return runsAsFormula(text) || unmarkFormula(text) !== text ? `'${text}` : text
}

export function unmarkFormula(cell: string): string {
  if (!cell.startsWith("'")) return cell
  const text = cell.slice(1)
  // A formula after several apostrophes is also one after fewer.
  return runsAsFormula(text) || runsAsFormula(text.replace(/^'+/, '')) ? text : cell
}

function runsAsFormula(text: string): boolean {
  return FORMULA.test(text) || SKIPPED.test(text)
}
