/** More columns than this are not read: spreadsheets write thousands of empty ones. */
export const MAX_COLUMNS = 200
/** A quoted cell longer than this never closes: its quote is an ordinary character. */
const MAX_QUOTED = 100_000
/** Quotes within a quoted cell that do not end it; with more, the first one is an ordinary character too. Keeps the work linear. */
const MAX_LONE_QUOTES = 100

export type CsvRecord = { cells: string[]; blank: boolean; wider: boolean }

/**
 * Reads CSV records as people's files need, which no library does: mixed line ends; a quote counts only if it opens a cell
 * and one closes it before a delimiter or line end. Where a quoted cell would oddly swallow lines, the number of columns
 * (`width`, null: unknown) decides.
 */
export function* tokenize(text: string, delimiter: string, width: number | null = null): Generator<CsvRecord> {
  for (let at = 0; at < text.length; ) {
    const quoted = readRecord(text, at, delimiter, true)
    const plain =
      quoted.multiline && width !== null && (quoted.columns !== width || quoted.unclosed)
        ? readRecord(text, at, delimiter, false)
        : null
    const { cells, columns, end } = plain?.columns === width ? plain : quoted
    yield { cells, blank: cells.every((cell) => cell.trim() === ''), wider: columns > MAX_COLUMNS }
    at = end
  }
}

type Read = { cells: string[]; columns: number; end: number; multiline: boolean; unclosed: boolean }

/** @param lineBreaks whether a quoted cell may hold line breaks */
function readRecord(text: string, start: number, delimiter: string, lineBreaks: boolean): Read {
  const cells: string[] = []
  let columns = 0
  let multiline = false
  let unclosed = false
  let at = start
  for (;;) {
    const cell = readQuoted(text, at, delimiter, lineBreaks) ?? readPlain(text, at, delimiter)
    multiline ||= cell.multiline
    unclosed ||= cell.multiline && cell.unclosed
    columns += 1
    if (columns <= MAX_COLUMNS) cells.push(cell.value)
    at = cell.end
    if (text[at] !== delimiter) break
    at += 1
  }
  return { cells, columns, end: skipLineEnd(text, at), multiline, unclosed }
}

type Cell = { value: string; end: number; multiline: boolean; unclosed: boolean }

function readPlain(text: string, start: number, delimiter: string): Cell {
  let end = start
  while (end < text.length && !isEnd(text[end], delimiter)) end += 1
  return { value: text.slice(start, end), end, multiline: false, unclosed: false }
}

/** Null where the quote at this place opens nothing. */
function readQuoted(text: string, start: number, delimiter: string, lineBreaks: boolean): Cell | null {
  let open = start
  while (text[open] === ' ' && delimiter !== ' ') open += 1
  if (text[open] !== '"') return null
  let doubled = false
  let lone = 0
  let opens = false
  for (let at = open + 1; ; ) {
    const quote = text.indexOf('"', at)
    if (quote === -1 || quote - open > MAX_QUOTED || lone > MAX_LONE_QUOTES) return null
    if (text[quote + 1] === '"') {
      doubled = true
      at = quote + 2
      continue
    }
    const end = skipSpaces(text, quote + 1)
    if (end < text.length && !isEnd(text[end], delimiter)) {
      at = quote + 1
      lone += 1
      // The opening quote of a later cell: this one was never closed.
      opens ||= isEnd(text[quote - 1], delimiter)
      continue
    }
    const raw = text.slice(open + 1, quote)
    const multiline = /[\r\n]/.test(raw)
    if (multiline && !lineBreaks) return null
    return { value: doubled ? raw.replaceAll('""', '"') : raw, end, multiline, unclosed: opens }
  }
}

function isEnd(character: string | undefined, delimiter: string): boolean {
  return character === delimiter || character === '\n' || character === '\r'
}

function skipSpaces(text: string, from: number): number {
  let at = from
  while (text[at] === ' ') at += 1
  return at
}

function skipLineEnd(text: string, at: number): number {
  if (text[at] === '\r') return text[at + 1] === '\n' ? at + 2 : at + 1
  return at + 1
}
