import { expect, test } from 'bun:test'
import { createBatcher } from '../../src/lib/batcher.ts'

test('what is asked for in one turn, or while a run is under way, is one run', async () => {
  let waiting: number[] = []
  const runs: number[][] = []
  const batcher = createBatcher(async () => {
    const taken = waiting
    waiting = []
    await Bun.sleep(10)
    runs.push(taken)
  })
  const put = (value: number) => {
    waiting.push(value)
    return batcher.ask()
  }
  const first = Promise.all([put(1), put(2)])
  await Bun.sleep(3)
  const second = Promise.all([put(3), put(4)])
  await first
  expect(runs).toEqual([[1, 2]])
  await second
  expect(runs).toEqual([
    [1, 2],
    [3, 4],
  ])
})

test('a run that fails rejects its own requests, and the next goes on', async () => {
  let fails = true
  const batcher = createBatcher(async () => {
    await Bun.sleep(5)
    if (fails) throw new Error('away')
  })
  const first = batcher.ask().then(
    () => 'ran',
    () => 'failed',
  )
  await Bun.sleep(2)
  const second = batcher.ask()
  expect(await first).toBe('failed')
  fails = false
  await second
})

test('settled waits for every run asked for', async () => {
  let ended = 0
  const batcher = createBatcher(async () => {
    await Bun.sleep(10)
    ended += 1
  })
  await batcher.settled()
  void batcher.ask()
  await Bun.sleep(3)
  void batcher.ask()
  await batcher.settled()
  expect(ended).toBe(2)
})
