import { terminalLine } from './escape/terminal.ts'

const LEVELS: Record<number, { word: string; color: string }> = {
  10: { word: 'trace', color: '2' },
  20: { word: 'debug', color: '2' },
  30: { word: 'info', color: '32' },
  40: { word: 'WARN', color: '33' },
  50: { word: 'ERROR', color: '31' },
  60: { word: 'FATAL', color: '31;1' },
}
const POSITIONED = new Set(['level', 'time', 'process', 'msg', 'err'])
const MAX_VALUE = 300

export function readableLogLine(line: string, colors: boolean): string {
  const entry = parseObject(line)
  if (!entry) return `${terminalLine(line.trimEnd())}\n`
  const level = LEVELS[Number(entry.level)] ?? byName(entry.level)
  const word = terminalLine(level.word).padEnd(5)
  const fields = Object.entries(entry)
    .filter(([name]) => !POSITIONED.has(name))
    .map(([name, value]) => `${terminalLine(name)}=${describe(value)}`)
  const parts = [
    timeOfDay(entry.time),
    colors ? `\u001b[${level.color}m${word}\u001b[0m` : word,
    terminalLine(String(entry.process ?? '')).padEnd(10),
    terminalLine(String(entry.msg ?? '')),
    ...fields,
  ]
  return [parts.filter((part) => part !== '').join(' '), ...describeError(entry.err)]
    .map((text) => `${text}\n`)
    .join('')
}

/** Libraries log the name of the level. */
function byName(name: unknown) {
  const known = Object.values(LEVELS).find(({ word }) => word.toLowerCase() === name)
  return known ?? { word: String(name ?? ''), color: '0' }
}

function parseObject(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}

function timeOfDay(time: unknown): string {
  const at = new Date(typeof time === 'string' || typeof time === 'number' ? time : Number.NaN)
  return Number.isNaN(at.getTime()) ? '' : at.toTimeString().slice(0, 8)
}

function describe(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  const short = terminalLine(text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text)
  return /[\s"=]/.test(short) && typeof value === 'string' ? JSON.stringify(short) : short
}

function describeError(error: unknown, word = 'error'): string[] {
  if (typeof error !== 'object' || error === null) return error === undefined ? [] : [`    ${word}: ${describe(error)}`]
  const { type, message, code, stack, cause } = { ...error } as Record<string, unknown>
  const title = [type, code, message].filter((part) => part !== undefined && part !== '').map(String)
  const frames = typeof stack === 'string' ? stack.split('\n').filter((frame) => frame.trim() !== '') : []
  return [
    `    ${word}: ${terminalLine(title.join(' '))}`,
    ...frames.slice(0, 8).map((frame) => `      ${terminalLine(frame.trim())}`),
    ...(cause === undefined ? [] : describeError(cause, 'caused by')),
  ]
}
