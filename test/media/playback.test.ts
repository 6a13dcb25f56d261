import { expect, test } from 'bun:test'
import { PlaybackLedger } from '../../src/media/playback.ts'

test('an item is heard when the mark of its last piece is back', () => {
  const ledger = new PlaybackLedger()
  const first = ledger.sent('a', 400, 0)
  const second = ledger.sent('a', 600, 10)
  expect(ledger.playing).toBe(true)
  expect(ledger.endsAt(10)).toBe(1_000)
  expect(ledger.markReturned(first, 400)).toEqual([])
  expect(ledger.markReturned(second, 1_000)).toEqual([{ itemId: 'a', heardMs: 1_000, sentMs: 1_000 }])
  expect(ledger.playing).toBe(false)
  expect(ledger.endsAt(1_500)).toBe(1_500)
})

test('a mark proves what was before it too; a mark that is not ours proves nothing', () => {
  const ledger = new PlaybackLedger()
  ledger.sent('a', 100, 0)
  const last = ledger.sent('b', 200, 0)
  expect(ledger.markReturned('b:200:g0:m9', 50)).toEqual([])
  expect(ledger.markReturned(last, 300)).toEqual([
    { itemId: 'a', heardMs: 100, sentMs: 100 },
    { itemId: 'b', heardMs: 200, sentMs: 200 },
  ])
  expect(ledger.markReturned(last, 301)).toEqual([])
})

test('clear tells what was heard of the playing item, nothing of those behind, and all of those before', () => {
  const ledger = new PlaybackLedger()
  ledger.sent('a', 1_000, 0)
  ledger.sent('b', 1_000, 0)
  ledger.sent('c', 1_000, 0)
  expect(ledger.clear(1_250)).toEqual([
    { itemId: 'a', heardMs: 1_000, sentMs: 1_000 },
    { itemId: 'b', heardMs: 250, sentMs: 1_000 },
    { itemId: 'c', heardMs: 0, sentMs: 1_000 },
  ])
  expect(ledger.playing).toBe(false)
})

test('pieces of one item that were heard before a clear count', () => {
  const ledger = new PlaybackLedger()
  const first = ledger.sent('a', 500, 0)
  ledger.sent('a', 500, 0)
  ledger.markReturned(first, 520)
  expect(ledger.clear(620)).toEqual([{ itemId: 'a', heardMs: 600, sentMs: 1_000 }])
})

test('the marks that come back after a clear do not count, also for an item of the same name', () => {
  const ledger = new PlaybackLedger()
  const cleared = ledger.sent('a', 500, 0)
  ledger.clear(100)
  const again = ledger.sent('a', 500, 110)
  expect(again).not.toBe(cleared)
  expect(ledger.markReturned(cleared, 120)).toEqual([])
  expect(ledger.playing).toBe(true)
  expect(ledger.markReturned(again, 620)).toEqual([{ itemId: 'a', heardMs: 500, sentMs: 500 }])
})

test('the carrier, not our estimate, is the clock: what follows a late mark starts then', () => {
  const ledger = new PlaybackLedger()
  const first = ledger.sent('a', 100, 0)
  ledger.sent('b', 1_000, 0)
  ledger.markReturned(first, 400)
  expect(ledger.endsAt(400)).toBe(1_400)
  expect(ledger.clear(600)).toEqual([{ itemId: 'b', heardMs: 200, sentMs: 1_000 }])
})

test('nothing pending: clear cuts nothing', () => {
  expect(new PlaybackLedger().clear(5)).toEqual([])
})
