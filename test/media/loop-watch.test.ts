import { expect, test } from 'bun:test'
import { LoopWatch } from '../../src/media/loop-watch.ts'
import { eventually } from '../support/wait.ts'

function make() {
  const state = { live: 1, now: 0 }
  const noted: number[] = []
  const watch = new LoopWatch({ live: () => state.live, onDelay: (ms) => noted.push(ms), now: () => state.now })
  return { state, noted, watch }
}

test('the usual delay of the last two seconds, whatever was before', () => {
  const { watch } = make()
  for (let i = 0; i < 49; i++) watch.add(500)
  expect(watch.recentMs).toBe(0)
  for (let i = 0; i < 51; i++) watch.add(500)
  expect(watch.recentMs).toBe(500)
  for (let i = 0; i < 40; i++) watch.add(1)
  expect(watch.recentMs).toBe(500)
  for (let i = 0; i < 20; i++) watch.add(1)
  expect(watch.recentMs).toBe(1)
})

test('one minute is summed up, with one long delay in it', () => {
  const { watch } = make()
  expect(watch.lastMinute).toEqual({ p50: 0, p99: 0, max: 0 })
  for (let i = 0; i < 10_000; i++) watch.add(i === 8_050 ? 300 : i % 100)
  const { p50, p99, max } = watch.lastMinute
  expect([p50, p99, max]).toEqual([49, 99, 300])
})

test('a delay above a frame is noted with the longest, every five seconds at most', () => {
  const { state, noted, watch } = make()
  watch.add(20)
  expect(noted).toEqual([])
  watch.add(30)
  watch.add(90)
  watch.add(40)
  expect(noted).toEqual([30])
  state.now = 5_000
  watch.add(1)
  expect(noted).toEqual([30, 90])
  state.now = 10_000
  watch.add(1)
  expect(noted).toEqual([30, 90])
})

test('the timer sees a loop that is held up, and ends with the calls', async () => {
  const state = { live: 1, skipped: 0 }
  const noted: number[] = []
  const watch = new LoopWatch({
    live: () => state.live,
    onDelay: (ms) => noted.push(ms),
    now: () => performance.now() + state.skipped,
  })
  watch.begin()
  watch.begin()
  await eventually(() => watch.lastMinute.max > 0, 'the samples')
  const begun = performance.now()
  while (performance.now() - begun < 150);
  await eventually(() => watch.lastMinute.max > 100, 'the samples')
  expect(Math.max(...noted)).toBeGreaterThan(20)
  state.live = 0
  state.skipped = 11_000
  // Without calls there is no timer, and what was measured belongs to the past.
  await eventually(() => watch.lastMinute.max === 0, 'the samples')
  watch.stop()
})
