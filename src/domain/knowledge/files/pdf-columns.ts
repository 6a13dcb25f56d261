/**
 * A run of text of a page as pdf.js reports it: `str` in logical order within itself, as it has a paragraph of the direction `dir`;
 * `x`, `y` in points from the lower left.
 */
export type PdfRun = { str: string; dir: string; x: number; y: number; width: number; height: number }

type Span = { from: number; to: number }
type Row = { runs: PdfRun[]; y: number }

const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/g
const LETTER = /\p{L}/gu
/** Of the height of the letters, the narrowest space between two columns. */
const GUTTER = 0.8
/** Columns have at least so many lines each, of which most are long and full: the cells of a table are not. */
const MIN_LINES = 5
const MIN_LETTERS = 15
const FULL = 0.75
const MOST = 0.6
const FEW = 0.34
/** Of the usual distance of two lines. */
const NEXT_PARAGRAPH = 1.2
/** On a page with more there is no text that people set. */
const MAX_LINES = 400
/** So many rows that end together are no chance. */
const TABLE_ROWS = 3
/** Columns within columns; deeper is no text that people set. */
const MAX_DEPTH = 3

/**
 * The lines of a page in the order in which its columns are read: what spans all of them where it stands, and of text side by side
 * one column after the other, from the side on which its language begins.
 */
export function inColumns<Line extends Row>(
  lines: readonly Line[],
  divide: (runs: PdfRun[]) => Line[],
  depth = 0,
): Line[] {
  if (depth === MAX_DEPTH || lines.length > MAX_LINES) return [...lines]
  const out: Line[] = []
  for (let at = 0; at < lines.length; ) {
    const block = blockFrom(lines, at)
    if (!block || block.gutters.length === 0) {
      const end = block?.end ?? at + 1
      out.push(...lines.slice(at, end))
      at = end
      continue
    }
    const columns = columnsOf(lines.slice(at, block.end), block.gutters)
    for (const runs of isRtl(columns.flat()) ? columns.reverse() : columns)
      out.push(...inColumns(divide(runs), divide, depth + 1))
    at = block.end
  }
  return out
}

/** The lines from one on that stand in columns, and what is between these: nothing in a table. Null where the line begins none. */
function blockFrom(lines: readonly Row[], start: number): { end: number; gutters: Span[] } | null {
  const page = extent(lines.flatMap(({ runs }) => runs))
  const ends: { end: number; free: Span[] }[] = []
  let free: Span[] = [page]
  for (let end = start; end < lines.length; end += 1) {
    const line = lines[end]
    const left = line ? overlap(free, freeOf(line, page)) : []
    // What ends a gutter may be a table below, or text across some of the columns.
    if (left.length < free.length) ends.push({ end, free })
    free = left
    if (free.length === 0) break
  }
  if (free.length > 0) ends.push({ end: lines.length, free })
  for (const { end, free: spaces } of ends.toSorted((a, b) => b.free.length - a.free.length || b.end - a.end)) {
    const block = lines.slice(start, end)
    const text = extent(block.flatMap(({ runs }) => runs))
    const between = spaces.filter(({ from, to }) => from > text.from && to < text.to)
    // All of them at once; or one alone, where another is a table's within a column.
    for (const gutters of [between, ...between.map((each) => [each])]) {
      const part = gutters.length > 0 ? withoutTable(block, gutters) : []
      const end = start + part.length
      if (isTable(part, gutters)) return { end, gutters: [] }
      if (part.length > 0 && areColumns(part, gutters)) return { end, gutters }
    }
  }
  return null
}

/** Lines up to the first paragraph across several columns of which little is full: rows of a table below the columns. */
function withoutTable(all: readonly Row[], gutters: Span[]): readonly Row[] {
  const isRow = (line: Row) => {
    const cells = columnsOf([line], gutters).filter((runs) => runs.length > 0)
    return cells.length > 1 && cells.every((runs) => lettersOf(runs) < MIN_LETTERS)
  }
  const block = all.slice(0, all.findLastIndex((line) => !isRow(line)) + 1)
  const full = fullnessOf(block, gutters)
  const steps = stepsOf(block)
  const usual = median(steps)
  let from = 0
  for (let at = 1; at <= block.length; at += 1) {
    if (at < block.length && (steps[at - 1] ?? 0) <= NEXT_PARAGRAPH * usual) continue
    const part = full.slice(from, at).map((columns) => columns.filter((each) => each !== null))
    const across = part.filter(({ length }) => length > 1)
    const cells = part.flat()
    if (across.length * 2 >= part.length && cells.filter(Boolean).length < FEW * cells.length)
      return block.slice(0, from)
    from = at
  }
  return block
}

/** Where a line has nothing, as wide as a gutter at least. */
function freeOf({ runs }: Row, page: Span): Span[] {
  const free: Span[] = []
  let from = page.from
  for (const run of runs.toSorted((a, b) => a.x - b.x)) {
    if (run.x > from) free.push({ from, to: run.x })
    from = Math.max(from, run.x + run.width)
  }
  free.push({ from, to: page.to })
  return free.filter((span) => isWide(span, runs))
}

const isWide = ({ from, to }: Span, runs: readonly PdfRun[]) =>
  runs.every(({ height }) => to - from >= GUTTER * (height || 10))

function overlap(some: Span[], others: Span[]): Span[] {
  return some.flatMap((a) =>
    others.flatMap((b) => {
      const span = { from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) }
      // Narrower than any letters' gutter.
      return span.to - span.from >= 4 ? [span] : []
    }),
  )
}

/** The runs of each column, from the left. */
function columnsOf(block: readonly Row[], gutters: Span[]): PdfRun[][] {
  const columns: PdfRun[][] = Array.from({ length: gutters.length + 1 }, () => [])
  for (const { runs } of block)
    for (const run of runs) columns[gutters.filter(({ from }) => run.x >= from).length]?.push(run)
  return columns
}

function areColumns(block: readonly Row[], gutters: Span[]): boolean {
  const full = fullnessOf(block, gutters)
  return Array.from({ length: gutters.length + 1 }, (_, column) => full.map((each) => each[column] ?? null))
    .map((rows) => rows.filter((each) => each !== null))
    .every((rows) => rows.length >= MIN_LINES && rows.filter(Boolean).length >= MOST * rows.length)
}

/** The rows of a table end on both sides at once; the paragraphs of columns do so by chance. */
function isTable(block: readonly Row[], gutters: Span[]): boolean {
  const cellsOf = (line: Row) => columnsOf([line], gutters).map((runs) => runs.length > 0)
  const pitches = Array.from({ length: gutters.length + 1 }, (_, column) =>
    median(stepsOf(block.filter((line) => cellsOf(line)[column]))),
  )
  const pitch = Math.min(...pitches)
  const bands: boolean[][] = []
  for (const [index, line] of block.entries()) {
    const cells = cellsOf(line)
    const band = bands.at(-1)
    const step = (block[index - 1]?.y ?? line.y) - line.y
    if (!band || step > NEXT_PARAGRAPH * pitch) bands.push(cells)
    else for (const [column, isThere] of cells.entries()) if (isThere) band[column] = true
  }
  const rows = bands.filter((cells) => cells.every(Boolean))
  return rows.length >= TABLE_ROWS && rows.length >= MOST * bands.length
}

const stepsOf = (lines: readonly Row[]) => lines.slice(1).map(({ y }, index) => (lines[index]?.y ?? y) - y)

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

/** Whether each line fills each column, as prose does; null where it has nothing there. */
function fullnessOf(block: readonly Row[], gutters: Span[]): (boolean | null)[][] {
  const widths = columnsOf(block, gutters).map((runs) => widthOf(runs))
  return block.map((line) =>
    columnsOf([line], gutters).map((runs, column) =>
      runs.length === 0 ? null : lettersOf(runs) >= MIN_LETTERS && widthOf(runs) >= FULL * (widths[column] ?? 0),
    ),
  )
}

function widthOf(runs: readonly PdfRun[]): number {
  const { from, to } = extent(runs)
  return to - from
}

function extent(runs: readonly PdfRun[]): Span {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { x, width } of runs) {
    from = Math.min(from, x)
    to = Math.max(to, x + width)
  }
  return { from, to }
}

const lettersOf = (runs: readonly PdfRun[]) => runs.reduce((sum, { str }) => sum + (str.match(LETTER)?.length ?? 0), 0)

function isRtl(runs: readonly PdfRun[]): boolean {
  const rtl = runs.reduce((sum, { str }) => sum + (str.match(RTL)?.length ?? 0), 0)
  return rtl * 2 >= lettersOf(runs)
}
