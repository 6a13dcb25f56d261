import { expect, test } from 'bun:test'
import { waitAtMost } from '../../src/lib/wait-at-most.ts'

test('a value in time is the value, a rejection rejects, and a late promise is undefined', async () => {
  expect(await waitAtMost(Promise.resolve(7), 1_000)).toBe(7)
  expect(await waitAtMost(Promise.reject(new Error('no')), 1_000).catch(String)).toBe('Error: no')
  const started = performance.now()
  expect(await waitAtMost(new Promise(() => {}), 20)).toBeUndefined()
  expect(performance.now() - started).toBeLessThan(1_000)
})
