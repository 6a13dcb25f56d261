import { expect, test } from 'bun:test'
import { readableLogLine } from '../../src/lib/readable-log.ts'
import { HOSTILE_STRINGS } from '../support/hostile-strings.ts'
import { openTerminal } from '../support/terminal.ts'

const line = (entry: object) => readableLogLine(`${JSON.stringify(entry)}\n`, false)

test('a line is read by a person: time, level, process, message, fields, and where an error was thrown', () => {
  const at = new Date(2026, 10, 26, 9, 8, 7)
  expect(
    line({ level: 30, time: at.toISOString(), process: 'web', msg: 'it listens', port: 5000, why: 'a b', to: null }),
  ).toBe('09:08:07 info  web        it listens port=5000 why="a b" to=null\n')
  const err = {
    type: 'Error',
    code: 'E1',
    message: 'broke',
    stack: '    at a (b.ts:1)',
    cause: { type: 'Error', message: 'deep' },
  }
  expect(line({ level: 50, time: at.getTime(), msg: 'failed', err })).toBe(
    '09:08:07 ERROR failed\n    error: Error E1 broke\n      at a (b.ts:1)\n    caused by: Error deep\n'.replace(
      'ERROR failed',
      'ERROR            failed',
    ),
  )
  expect(line({ level: 'warn', msg: 'a library' })).toContain('WARN ')
  expect(readableLogLine('no json\u001b[2J\n', false)).toBe('no json\\x1b[2J\n')
  expect(readableLogLine('{"level":40,"msg":"x"}', true)).toContain('\u001b[33mWARN ')
})

test('no hostile text leaves its line or steers the terminal, wherever in a line it stands', () => {
  for (const text of Object.values(HOSTILE_STRINGS)) {
    const err = { type: text, message: text, stack: `  at ${text}`, cause: text }
    for (const entry of [
      { msg: text },
      { process: text, msg: 'x' },
      { [text]: text, msg: 'x' },
      { list: [text], msg: 'x' },
      { time: text, level: text },
    ])
      expect(line(entry)).toMatch(/^[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*\n$/u)
    expect(line({ msg: 'x', err })).not.toMatch(/[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/u)
  }
})

test('a program gets JSON, a terminal gets lines', async () => {
  const code = `const { createLogger } = await import('./src/lib/log.ts'); createLogger('info', { process: 'web' }).info({ port: 1 }, 'up')`
  const cwd = `${import.meta.dir}/../..`
  const piped = Bun.spawn([process.execPath, '-e', code], { cwd, stdout: 'pipe', timeout: 30_000 })
  expect(JSON.parse(await new Response(piped.stdout).text())).toMatchObject({
    level: 30,
    process: 'web',
    msg: 'up',
    port: 1,
  })
  const terminal = openTerminal([process.execPath, '-e', code], { cwd })
  expect(await terminal.ended()).toBe(0)
  expect(terminal.shown()).toMatch(/^\d\d:\d\d:\d\d info {2}web {8}up port=1\n$/)
})
