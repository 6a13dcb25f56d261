import { inColumns, type PdfRun } from './pdf-columns.ts'

const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/
const LATIN = /[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}]/u
const MARK = /^\p{M}+$/u
const MIRRORED: Record<string, string> = {
  '(': ')',
  ')': '(',
  '[': ']',
  ']': '[',
  '{': '}',
  '}': '{',
  '<': '>',
  '>': '<',
}

/** Of the height of the letters: what lies wider apart are two words, two cells, two paragraphs. */
const WORD_GAP = 0.14
const CELL_GAP = 2
const PARAGRAPH_GAP = 1.9
const HEADING = 1.25
const MAX_HEADING = 120

type Line = { runs: PdfRun[]; y: number; height: number }

/**
 * The text of a page in reading order. Producers place words where they are seen, so that a right-to-left line arrives from left to
 * right: lines are rebuilt from positions, and ordered backwards by the rules that ordered them (UAX #9). Larger lines become
 * headings (`#`), cells of a row stand apart by ` | `.
 */
export function textOfPage(runs: readonly PdfRun[]): string {
  const lines = inColumns(linesOf(runs), linesOf)
  const body = usualHeight(lines)
  const texts = textsOf(lines)
  const out: string[] = []
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1]
    // Upwards: the next column.
    const gap = before ? before.y - line.y : 0
    if (before && (gap < 0 || gap > PARAGRAPH_GAP * Math.min(before.height, line.height))) out.push('')
    const text = texts[index] ?? ''
    if (text === '') continue
    const heading = line.height > body * HEADING && text.length <= MAX_HEADING && /\p{L}/u.test(text)
    out.push(heading ? `# ${text}` : text)
  }
  return out.join('\n')
}

/**
 * Chromium names a bracket of a right-to-left line by its shape, LibreOffice by its meaning, also in lines from left to right: the
 * right way is the one by which brackets close, in the line, or else in the lines of the page.
 */
function textsOf(lines: Line[]): string[] {
  const ways = lines.map((line) => {
    const units = unitsOfLine(line)
    const rtl = isRtl(units)
    const order = rtl ? rightToLeft : leftToRight
    const [named, turned] = [joined(order(units, false)), joined(order(units, true))]
    return { rtl, named, turned, errors: errorsOf(named) - errorsOf(turned) }
  })
  const all = ways.reduce((sum, { rtl, errors }) => sum + (rtl ? errors : 0), 0)
  return ways.map(({ rtl, named, turned, errors }) => {
    const turn = errors === 0 ? rtl && all >= 0 : errors > 0
    return turn ? turned : named
  })
}

/** How many brackets of a line do not open or close with another. */
function errorsOf(line: string): number {
  let errors = 0
  const open: string[] = []
  for (const [sign] of line.matchAll(/[()[\]{}]/g)) {
    if ('([{'.includes(sign)) open.push(sign)
    else if (open.at(-1) === MIRRORED[sign]) open.pop()
    else errors += 1
  }
  return errors + open.length
}

function linesOf(runs: readonly PdfRun[]): Line[] {
  const lines: Line[] = []
  for (const run of runs.map(withoutStray).toSorted((a, b) => b.y - a.y)) {
    if (run.str.trim() === '') continue
    const line = lines.at(-1)
    const height = run.height || 10
    // Raised and lowered letters are of the line; the next line is further down.
    if (line && line.y - run.y < Math.max(2, 0.4 * Math.min(line.height, height))) {
      line.runs.push(run)
      line.height = Math.max(line.height, height)
    } else lines.push({ runs: [run], y: run.y, height })
  }
  return lines
}

/** LibreOffice adds a digit to the name of some points: what has no width is nothing but points. */
function withoutStray(run: PdfRun): PdfRun {
  return run.width === 0 && /^\p{M}/u.test(run.str) ? { ...run, str: run.str.replace(/\P{M}/gu, '') } : run
}

/** The height of most letters. */
function usualHeight(lines: Line[]): number {
  const letters = new Map<number, number>()
  for (const { runs, height } of lines) {
    const key = Math.round(height * 2) / 2
    letters.set(key, (letters.get(key) ?? 0) + runs.reduce((sum, run) => sum + run.str.length, 0))
  }
  return [...letters].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 10
}

type Kind = 'rtl' | 'latin' | 'number' | 'neutral'
/** A part of a line in the order of the eye; `gap` is what separates it from the part to its right. */
type Unit = { text: string; kind: Kind; gap: string }

function unitsOfLine({ runs, height }: Line): Unit[] {
  const sorted = marksBeforeLetters(runs.toSorted((a, b) => a.x - b.x))
  return sorted.flatMap((run, index) => unitsOf(run, gapAfter(run, sorted[index + 1], height)))
}

function isRtl(units: Unit[]): boolean {
  const count = (kind: Kind) =>
    units.reduce((sum, unit) => sum + (unit.kind === kind ? (unit.text.match(/\p{L}/gu)?.length ?? 0) : 0), 0)
  return count('rtl') > 0 && count('rtl') * 2 >= count('latin')
}

function joined(text: string): string {
  return text
    .replace(/ {2,}/g, ' ')
    .replace(/(?: \| )+/g, ' | ')
    .trim()
}

/** A point of a right-to-left letter, as a run of its own upon the letter: seen from the right it comes after the letter. */
function marksBeforeLetters(sorted: PdfRun[]): PdfRun[] {
  for (const [index, run] of sorted.entries()) {
    const letter = sorted[index - 1]
    if (!letter || !MARK.test(run.str) || MARK.test(letter.str) || !RTL.test(letter.str)) continue
    if (run.x < letter.x + letter.width * 0.7) sorted.splice(index - 1, 2, run, letter)
  }
  return sorted
}

function gapAfter(run: PdfRun, next: PdfRun | undefined, height: number): string {
  const gap = next ? next.x - run.x - run.width : 0
  if (gap > CELL_GAP * height) return ' | '
  return gap > WORD_GAP * (run.height || height) ? ' ' : ''
}

/** The parts of a run, in the order of the eye. */
function unitsOf({ str, dir }: PdfRun, gap: string): Unit[] {
  const units = RTL.test(str) ? mixedUnits(str, dir) : signsAndWords(str)
  const last = units.at(-1)
  if (last) last.gap = gap
  return units
}

/** A run without right-to-left letters is taken apart, as its signs may belong elsewhere. */
function signsAndWords(str: string): Unit[] {
  const units: Unit[] = []
  for (const [text] of str.trim().matchAll(/[%$€₪#+-]?\d+(?:[.,:/+-]\d+)*%?|[\p{L}\p{M}]+|\s+|./gu)) {
    const last = units.at(-1)
    if (/^\s+$/.test(text)) {
      if (last) last.gap = ' '
    } else units.push({ text, kind: /\d/.test(text) ? 'number' : LATIN.test(text) ? 'latin' : 'neutral', gap: '' })
  }
  return units
}

/** What is read from left to right within a run of right-to-left letters: from a Latin letter or a digit to the last one. */
const EMBEDDED = /([\p{Script=Latin}\d](?:[^\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]*[\p{Script=Latin}\d%])?)/u

function mixedUnits(str: string, dir: string): Unit[] {
  const parts = str.split(EMBEDDED).filter((part) => part !== '')
  const units = parts.map((part, index): Unit => {
    const next = parts[index + (dir === 'rtl' ? -1 : 1)]
    const [left, right] = dir === 'rtl' ? [next, part] : [part, next]
    const gap = next !== undefined && (/\s$/.test(left ?? '') || /^\s/.test(right ?? '')) ? ' ' : ''
    const kind = RTL.test(part) ? 'rtl' : LATIN.test(part) ? 'latin' : /\d/.test(part) ? 'number' : 'neutral'
    return { text: part.trim(), kind, gap }
  })
  return (dir === 'rtl' ? units.reverse() : units).filter(({ text }) => text !== '')
}

const isStrong = (unit: Unit | undefined) => unit?.kind === 'latin' || unit?.kind === 'number'

/** From the right; what is read from left to right within it (words of Latin letters with what is between them) stays. */
function rightToLeft(units: Unit[], turn: boolean): string {
  let out = ''
  for (let at = units.length - 1; at >= 0; ) {
    const unit = units[at]
    if (!unit) break
    const start = isStrong(unit) ? startOfRun(units, at) : at
    if (start < at || isStrong(unit)) {
      const run = units.slice(start, at + 1)
      out += run.map(({ text, gap }, index) => text + (index < run.length - 1 ? gap : '')).join('')
    } else out += unit.kind === 'neutral' && turn ? (MIRRORED[unit.text] ?? unit.text) : unit.text
    out += units[start - 1]?.gap ?? ''
    at = start - 1
  }
  return out
}

/** Where the left-to-right text begins that ends at a unit: over signs, but not over the edge of a cell. */
function startOfRun(units: Unit[], end: number): number {
  let start = end
  for (let at = end - 1; at >= 0; at -= 1) {
    const unit = units[at]
    if (!unit || unit.kind === 'rtl' || unit.gap === ' | ') break
    if (!isStrong(unit)) continue
    const right = units[start]
    const touching = at === start - 1 && unit.gap === ''
    // Two numbers with a space or a dash between them stand in the order of the line (UAX #9, N1 and N2).
    if (unit.kind === 'number' && right?.kind === 'number' && !touching) {
      const between = units.slice(at + 1, start).map(({ text }) => text)
      if (unit.gap !== '' || !between.every((text) => /^[.,:/+\\@_-]$/.test(text))) break
    }
    start = at
  }
  return start
}

function leftToRight(units: Unit[], turn: boolean): string {
  let out = ''
  for (let at = 0; at < units.length; ) {
    const unit = units[at]
    if (!unit) break
    let end = at
    if (unit.kind === 'rtl')
      for (let next = at + 1; next < units.length; next += 1) {
        if (units[next]?.kind === 'latin' || units[next - 1]?.gap === ' | ') break
        if (units[next]?.kind === 'rtl') end = next
      }
    if (end > at) out += rightToLeft(units.slice(at, end + 1), turn)
    else out += unit.kind === 'neutral' && turn ? (MIRRORED[unit.text] ?? unit.text) : unit.text
    out += units[end]?.gap ?? ''
    at = end + 1
  }
  return out
}
