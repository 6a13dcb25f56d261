import { parseHTML } from 'linkedom'
import { tableLines } from '../files/table-lines.ts'

/** Not text of the page, or its menus, which every page repeats. */
const SKIPPED = new Set(
  (
    'title script style noscript template svg math canvas iframe object embed audio video map select option textarea input button ' +
    'nav dialog datalist progress meter'
  ).split(' '),
)
const SKIPPED_ROLES = new Set(['navigation', 'dialog', 'alertdialog', 'menu', 'menubar', 'search'])
const BLOCKS = new Set(
  (
    'address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 ' +
    'header hr html legend li main ol p pre section summary table tbody tfoot thead tr ul'
  ).split(' '),
)
/** Pages of people nest some dozens deep. */
const MAX_DEPTH = 256
/** A longer cell is a part of a page that was laid out by a table. */
const MAX_CELL = 400

const HIDDEN_STYLE =
  /(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0?(?:\.0+)?\s*(?:;|!|$)|font-size\s*:\s*0|text-indent\s*:\s*-\d{3,}|(?:left|top|right|bottom|margin-left|margin-top)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0)/i
const HIDDEN_CLASS = /(?:^|\s)(?:sr-only|visually-hidden|screen-reader-text|visuallyhidden)(?:\s|$)/i

/** Whether people do not see the element: a classic place for text that is meant for machines. */
function isHidden(element: Element): boolean {
  return (
    element.hasAttribute('hidden') ||
    element.getAttribute('aria-hidden') === 'true' ||
    HIDDEN_STYLE.test(element.getAttribute('style') ?? '') ||
    HIDDEN_CLASS.test(element.getAttribute('class') ?? '')
  )
}

export function parseDocument(html: string): Document {
  return parseHTML(html).document
}

/** The text that people see of an HTML text: headings as `#`, items of lists as `-`, rows of tables as lines of their own. */
export function textOfHtml(html: string): string {
  return textOf(parseDocument(html))
}

/** The same of a document: of all of it, as `<html>`, `<head>` and `<body>` may be left out and the parser adds none. */
export function textOf(document: Document): string {
  const out = new Lines()
  for (const child of document.childNodes) walk(child, out, 0)
  return out.text()
}

/** Text that grows by lines: a page has thousands, and one long string would be copied for each. */
class Lines {
  readonly #done: string[] = []
  line = ''

  add(text: string): void {
    const flat = text.replace(/\s+/g, ' ')
    this.line += this.line === '' || this.line.endsWith(' ') ? flat.trimStart() : flat
  }

  /** Ends the line; `apart` leaves a blank one. */
  break(apart = false): void {
    const line = this.line.trim()
    // The mark of an item stays with the paragraph in it.
    if (line === '-') return
    if (line !== '') this.#done.push(line)
    this.line = ''
    if (apart && this.#done.length > 0 && this.#done.at(-1) !== '') this.#done.push('')
  }

  addLines(lines: string[]): void {
    this.break(true)
    for (const line of lines) this.#done.push(line)
    this.break(true)
  }

  text(): string {
    this.break()
    return this.#done.join('\n').trim()
  }
}

function walk(node: Node, out: Lines, depth: number): void {
  if (node.nodeType === 3) out.add(node.textContent ?? '')
  if (!isElement(node) || depth > MAX_DEPTH) return
  const name = node.localName
  if (SKIPPED.has(name) || SKIPPED_ROLES.has(node.getAttribute('role') ?? '') || isHidden(node)) return
  const lines = name === 'table' ? dataOf(node, depth) : null
  if (name === 'br') out.break()
  else if (lines) out.addLines(lines)
  else if (/^h[1-6]$/.test(name)) addHeading(node, out, depth)
  else addElement(node, out, depth)
}

function addElement(node: Element, out: Lines, depth: number): void {
  const name = node.localName
  const apart = name === 'p' || name === 'section' || name === 'article'
  // What explains a term follows it in its line.
  if (BLOCKS.has(name) && !(name === 'dd' && out.line.endsWith(': '))) out.break(apart)
  if (name === 'li') out.line = '- '
  for (let child = node.firstChild; child; child = child.nextSibling) walk(child, out, depth + 1)
  if (name === 'dt' && out.line !== '') out.line = `${out.line.trimEnd().replace(/:$/, '')}: `
  else if (BLOCKS.has(name)) out.break(apart)
  if (name === 'a') addAddress(node, out)
  else if (name === 'td' || name === 'th') out.add(' ')
}

function addHeading(node: Element, out: Lines, depth: number): void {
  const inner = new Lines()
  out.break(true)
  for (let child = node.firstChild; child; child = child.nextSibling) walk(child, inner, depth + 1)
  const text = inner.text().replace(/\s+/g, ' ')
  if (text) out.line = `# ${text}`
  out.break(true)
}

/** A number or a mail address that only the link has: “call us”. */
function addAddress(link: Element, out: Lines): void {
  const address = /^(?:tel|mailto):([^?]{3,100})/i.exec(link.getAttribute('href') ?? '')?.[1]
  if (!address) return
  const plain = decoded(address).trim()
  const digits = (text: string) => text.replace(/\D/g, '').slice(-7)
  const shown = link.textContent ?? ''
  const there = plain.includes('@') ? shown.includes(plain) : digits(shown) === digits(plain)
  if (!there) out.add(` (${plain})`)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The lines of a table of data; null where the table only lays out the page. */
function dataOf(table: Element, depth: number): string[] | null {
  if (table.querySelector('table')) return null
  const rows: string[][] = []
  for (const row of table.querySelectorAll('tr')) {
    if (isHidden(row)) continue
    const cells: string[] = []
    for (let cell = row.firstElementChild; cell; cell = cell.nextElementSibling) {
      if (cell.localName !== 'td' && cell.localName !== 'th') continue
      const out = new Lines()
      if (!isHidden(cell))
        for (let child = cell.firstChild; child; child = child.nextSibling) walk(child, out, depth + 2)
      const text = out.text()
      if (text.length > MAX_CELL) return null
      const span = Math.min(20, Math.max(1, Number(cell.getAttribute('colspan')) || 1))
      cells.push(text, ...Array.from({ length: span - 1 }, () => ''))
    }
    rows.push(cells)
  }
  return rows.some((cells) => cells.length > 1) ? tableLines(rows) : null
}

function isElement(node: Node): node is Element {
  return node.nodeType === 1
}
