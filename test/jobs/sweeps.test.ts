import { expect, test } from 'bun:test'
import { createLogger } from '../../src/lib/log.ts'
import { runSweeps } from '../../workers/handlers/sweep.ts'

const log = createLogger('silent')

test('a sweep that fails does not stop the others, and is reported', async () => {
  const ran: string[] = []
  const sweep = (name: string, count: number) => async () => {
    ran.push(name)
    if (count < 0) throw new Error('the table is gone')
    return count
  }
  await expect(
    runSweeps({ one: sweep('one', -1), two: sweep('two', 2), three: sweep('three', -1) }, log),
  ).rejects.toThrow('These sweeps failed: one, three.')
  expect(ran).toEqual(['one', 'two', 'three'])
  expect(await runSweeps({ one: sweep('one', 1), two: sweep('two', 0) }, log)).toEqual({ one: 1, two: 0 })
})
