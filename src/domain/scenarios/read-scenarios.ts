import { z } from 'zod'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { type Scenario, scenario } from './schema.ts'

const MAX_CHARS = 500_000

/**
 * The scenarios of a YAML file: one, or a list of them.
 * @throws AppError `invalid_scenario` that names the file, the line and the path of the first fault
 */
export function readScenarios(text: string, file: string): Scenario[] {
  if (text.length > MAX_CHARS) throw invalid(file, null, '', `A file of scenarios has at most ${MAX_CHARS} characters.`)
  const content = parseYaml(text, file)
  const isList = Array.isArray(content)
  const items: unknown[] = isList ? content : [content]
  if (items.length === 0) throw invalid(file, 1, '', 'The file has no scenario.')
  const read = items.map((item, index) => {
    const parsed = scenario.safeParse(item)
    if (parsed.success) return parsed.data
    const [issue] = deepest(parsed.error.issues)
    const path = [...(isList ? [index] : []), ...(issue?.path ?? [])]
    throw invalid(file, lineOf(text, path), z.core.toDotPath(path), issue?.message ?? 'This is no scenario.')
  })
  const names = new Set<string>()
  for (const { name } of read) {
    if (names.has(name)) throw invalid(file, null, 'name', `The name ${name} is there twice.`)
    names.add(name)
  }
  return read
}

/** Of a union that fits nowhere, the issues of the alternative that came furthest. */
function deepest(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union') return [issue]
    const inner = issue.errors.map((each) =>
      deepest(each).map((found) => ({ ...found, path: [...issue.path, ...found.path] })),
    )
    const furthest = inner.toSorted((a, b) => (b[0]?.path.length ?? 0) - (a[0]?.path.length ?? 0))[0]
    if (furthest?.length && (furthest[0]?.path.length ?? 0) > issue.path.length) return furthest
    // The right kind with a fault of its own says more than "none of these".
    return inner.find(([first]) => first?.code === 'custom') ?? [issue]
  })
}

function parseYaml(text: string, file: string): unknown {
  try {
    return Bun.YAML.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    const line = 'line' in error && typeof error.line === 'number' && error.line > 1 ? error.line : null
    throw invalid(file, line, '', `This is no YAML: ${errorMessage(error).split('\n')[0]}`)
  }
}

function invalid(file: string, line: number | null, path: string, message: string): AppError {
  const where = line === null ? file : `${file}:${line}`
  return new AppError('invalid', 'invalid_scenario', `${where}: ${path === '' ? '' : `${path}: `}${message}`, {
    field: 'source',
  })
}

/** The line on which a path stands, or the nearest above it: the parser tells none. */
function lineOf(text: string, path: readonly PropertyKey[]): number {
  const rows = text.split('\n')
  let at = 0
  let column = 0
  let from = -1
  let isKey = false
  for (const part of path) {
    const rest = (rows[at] ?? '').slice(column).trim()
    // What is written in one line is found as far as its key.
    if (typeof part === 'number' && isKey && rest !== '' && !rest.startsWith('#')) break
    const found = typeof part === 'number' ? itemAt(rows, at, from, part) : keyAt(rows, at, column, String(part))
    if (!found) break
    isKey = typeof part !== 'number'
    ;({ row: at, column } = found)
    from = found.indent
  }
  return at + 1
}

type Place = { row: number; column: number; indent: number }

/** The nth item of the block sequence that begins at or below a row; null where it is written in one line. */
function itemAt(rows: readonly string[], start: number, indent: number, index: number): Place | null {
  let level: number | null = null
  let seen = -1
  for (let row = start; row < rows.length; row++) {
    const dash = /^(\s*)- /.exec(rows[row] ?? '')
    if (!dash || (row === start && indent >= 0)) continue
    const depth = dash[1]?.length ?? 0
    if (depth < indent) return null
    level ??= depth
    if (depth === level && ++seen === index) return { row, column: depth + 2, indent: depth + 1 }
    if (depth < level) return null
  }
  return null
}

function keyAt(rows: readonly string[], start: number, column: number, key: string): Place | null {
  const pattern = new RegExp(`(?<![\\w-])["']?${RegExp.escape(key)}["']?\\s*:`)
  for (let row = start; row < rows.length; row++) {
    const skipped = row === start ? column : 0
    const found = pattern.exec((rows[row] ?? '').slice(skipped))
    if (!found) continue
    const at = found.index + skipped
    return { row, column: at + found[0].length, indent: (rows[row] ?? '').search(/[^\s-]/) }
  }
  return null
}
