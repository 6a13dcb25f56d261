import { expect, test } from 'bun:test'
import { createOutbox, type OutboxOptions } from '../../src/jobs/outbox.ts'
import { eventually } from '../support/wait.ts'

function makeOutbox(deliver: (item: number) => Promise<void>, options: Partial<OutboxOptions<number>> = {}) {
  const dropped: number[] = []
  const outbox = createOutbox<number>({
    limit: 100,
    deliver,
    onChange: () => {},
    onRetry: () => {},
    onDrop: (item) => dropped.push(item),
    ...options,
  })
  return { outbox, dropped }
}

test('what is put while the line has just run empty is delivered as well, at whatever moment', async () => {
  for (let moments = 0; moments < 40; moments += 1) {
    const delivered: number[] = []
    const { outbox } = makeOutbox(async (item) => void delivered.push(item))
    outbox.put(1)
    for (let moment = 0; moment < moments; moment += 1) await null
    outbox.put(2)
    await Bun.sleep(0)
    await Bun.sleep(0)
    expect([moments, delivered.toSorted()]).toEqual([moments, [1, 2]])
    expect(outbox.depth).toBe(0)
  }
})

test('what fails is tried again until it is through', async () => {
  let away = true
  let tries = 0
  const delivered: number[] = []
  const { outbox } = makeOutbox(async (item) => {
    tries++
    if (away) throw new Error('away')
    delivered.push(item)
  })
  for (const item of [1, 2, 3]) outbox.put(item)
  await eventually(() => tries > 3, 'the second try')
  expect(outbox.depth).toBe(3)
  away = false
  await eventually(() => outbox.depth === 0, 'the outbox to be empty')
  expect(delivered.toSorted()).toEqual([1, 2, 3])
})

test('what can never be delivered goes to the end of the line, is given up, and holds up nothing', async () => {
  const delivered: number[] = []
  const refused = Object.assign(new Error('refused'), { code: '22P05' })
  const { outbox, dropped } = makeOutbox(async (item) => {
    if (item === 1) throw refused
    delivered.push(item)
  })
  for (let item = 1; item <= 80; item += 1) outbox.put(item)
  await eventually(() => outbox.depth === 0, 'the outbox to be empty')
  expect(delivered).toHaveLength(79)
  expect([outbox.depth, outbox.dropped, dropped]).toEqual([0, 1, [1]])
}, 20_000)

test('a full line drops what is new and says so', async () => {
  const { outbox, dropped } = makeOutbox(() => Promise.reject(new Error('away')), { limit: 2 })
  for (const item of [1, 2, 3, 4]) outbox.put(item)
  expect(dropped).toEqual([3, 4])
  expect([outbox.depth, outbox.dropped]).toEqual([2, 2])
  expect(await outbox.close(10)).toBe(2)
})
