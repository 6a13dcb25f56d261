/** How a cell begins that a spreadsheet runs as a formula (OWASP, "CSV Injection"), full-width forms included. */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/
/** Characters that programs drop at the beginning of a cell: behind them a sign still makes a formula. */
const SKIPPED = /^[\s\p{Cf}\p{Cc}"']+(?=[=+\-@\uFF1D\uFF0B\uFF0D\uFF20])/u
/** What no reader, with any delimiter, takes for more than the text of one cell. */
const PLAIN = /^(?! )[\p{L}\p{M}\p{N}_.:@/+ -]*(?<! )$/u

/** One CSV record of RFC 4180, line end included. A text that would run as a formula is marked with an apostrophe. */
export function csvRecord(cells: readonly (string | number | null)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

function csvCell(value: string | number | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value)
  if (PLAIN.test(value) && !FORMULA.test(value)) return value
  return `"${markFormula(value).replaceAll('"', '""')}"`
}

function markFormula(text: string): string {
  // A text that looks marked gets a mark of its own: taking one off always gives the text back.
  return runsAsFormula(text) || unmarkFormula(text) !== text ? `'${text}` : text
}

/** Takes the apostrophe off that marks a cell as text. */
export function unmarkFormula(cell: string): string {
  if (!cell.startsWith("'")) return cell
  const text = cell.slice(1)
  // Between the first mark and the last one nothing new is found: a formula behind quotes is one behind fewer of them.
  return runsAsFormula(text) || runsAsFormula(text.replace(/^'+/, '')) ? text : cell
}

function runsAsFormula(text: string): boolean {
  return FORMULA.test(text) || SKIPPED.test(text)
}
