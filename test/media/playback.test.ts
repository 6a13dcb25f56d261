import { expect, test } from 'bun:test'
import { PlaybackLedger } from '../../src/media/playback.ts'

/** Sends a piece with a mark right behind it. */
function send(ledger: PlaybackLedger, itemId: string, ms: number, now: number): string {
  ledger.sent(itemId, Buffer.alloc(ms * 8).toString('base64'), ms, now)
  return ledger.mark() ?? ''
}

/** What was heard of each cut item, without what was not. */
const heardOf = (ledger: PlaybackLedger, now: number) =>
  ledger.clear(now).map(({ itemId, heardMs, sentMs }) => ({ itemId, heardMs, sentMs }))

test('an item is heard when the mark of its last piece is back', () => {
  const ledger = new PlaybackLedger()
  const first = send(ledger, 'a', 400, 0)
  const second = send(ledger, 'a', 600, 10)
  ledger.finish('a')
  expect(ledger.playing).toBe(true)
  expect(ledger.endsAt(10)).toBe(1_000)
  expect(ledger.markReturned(first, 400)).toEqual([])
  expect(ledger.markReturned(second, 1_000)).toEqual([{ itemId: 'a', heardMs: 1_000, sentMs: 1_000 }])
  expect(ledger.playing).toBe(false)
  expect(ledger.endsAt(1_500)).toBe(1_500)
})

test('a mark proves what was before it too; a mark that is not ours proves nothing', () => {
  const ledger = new PlaybackLedger()
  send(ledger, 'a', 100, 0)
  const last = send(ledger, 'b', 200, 0)
  for (const item of ['a', 'b']) ledger.finish(item)
  expect(ledger.markReturned('b:200:g0:m9', 50)).toEqual([])
  expect(ledger.markReturned(last, 300)).toEqual([
    { itemId: 'a', heardMs: 100, sentMs: 100 },
    { itemId: 'b', heardMs: 200, sentMs: 200 },
  ])
  expect(ledger.markReturned(last, 301)).toEqual([])
})

test('clear tells what was heard of the playing item, nothing of those behind, and all of those before', () => {
  const ledger = new PlaybackLedger()
  send(ledger, 'a', 1_000, 0)
  send(ledger, 'b', 1_000, 0)
  send(ledger, 'c', 1_000, 0)
  expect(heardOf(ledger, 1_250)).toEqual([
    { itemId: 'a', heardMs: 1_000, sentMs: 1_000 },
    { itemId: 'b', heardMs: 250, sentMs: 1_000 },
    { itemId: 'c', heardMs: 0, sentMs: 1_000 },
  ])
  expect(ledger.playing).toBe(false)
})

test('pieces of one item that were heard before a clear count', () => {
  const ledger = new PlaybackLedger()
  const first = send(ledger, 'a', 500, 0)
  send(ledger, 'a', 500, 0)
  ledger.markReturned(first, 520)
  expect(heardOf(ledger, 620)).toEqual([{ itemId: 'a', heardMs: 600, sentMs: 1_000 }])
})

test('the marks that come back after a clear do not count, also for an item of the same name', () => {
  const ledger = new PlaybackLedger()
  const cleared = send(ledger, 'a', 500, 0)
  ledger.clear(100)
  const again = send(ledger, 'a', 500, 110)
  ledger.finish('a')
  expect(again).not.toBe(cleared)
  expect(ledger.markReturned(cleared, 120)).toEqual([])
  expect(ledger.playing).toBe(true)
  expect(ledger.markReturned(again, 620)).toEqual([{ itemId: 'a', heardMs: 500, sentMs: 500 }])
})

test('the carrier, not our estimate, is the clock: what follows a late mark starts then', () => {
  const ledger = new PlaybackLedger()
  const first = send(ledger, 'a', 100, 0)
  send(ledger, 'b', 1_000, 0)
  ledger.finish('a')
  ledger.markReturned(first, 400)
  expect(ledger.endsAt(400)).toBe(1_400)
  expect(heardOf(ledger, 600)).toEqual([{ itemId: 'b', heardMs: 200, sentMs: 1_000 }])
})

test('nothing pending: clear cuts nothing', () => {
  expect(heardOf(new PlaybackLedger(), 5)).toEqual([])
})

test('pieces share a mark: what is played in one go needs one only', () => {
  const ledger = new PlaybackLedger()
  for (let i = 0; i < 10; i++) ledger.sent('a', '', 20, i)
  expect(ledger.unmarkedMs).toBe(200)
  const mark = ledger.mark()
  expect(mark).toBe('a:200:g0:m1')
  expect(ledger.mark()).toBeNull()
  expect(ledger.unmarkedMs).toBe(0)
  expect(ledger.markReturned(mark ?? '', 200)).toEqual([])
  expect(ledger.finish('a')).toEqual({ itemId: 'a', heardMs: 200, sentMs: 200 })
})

test('audio that comes after the last was played out starts when it comes', () => {
  const ledger = new PlaybackLedger()
  ledger.sent('a', '', 100, 0)
  ledger.sent('a', '', 100, 500)
  expect(ledger.endsAt(500)).toBe(600)
  expect(heardOf(ledger, 550)).toEqual([{ itemId: 'a', heardMs: 150, sentMs: 200 }])
})

test('what was cut is given back with where it was cut', () => {
  const ledger = new PlaybackLedger()
  const audio = Uint8Array.from({ length: 1_600 }, (_, i) => i & 255)
  const base64 = (from: number, to: number) => Buffer.from(audio.subarray(from, to)).toString('base64')
  ledger.sent('a', base64(0, 800), 100, 0)
  ledger.sent('a', base64(800, 1_600), 100, 0)
  expect(ledger.clear(130)[0]?.rest).toEqual(audio.subarray(130 * 8))
})

test('of what came as bytes, and of what came after a mark, the unheard rest is given back in order', () => {
  const ledger = new PlaybackLedger()
  const piece = (value: number) => new Uint8Array(800).fill(value)
  const base64 = (value: number) => Buffer.from(piece(value)).toString('base64')
  ledger.sentBytes('a', piece(1), 0)
  const first = ledger.mark()
  ledger.sent('a', base64(2), 100, 0)
  const second = ledger.mark()
  // A long answer makes the memory grow and move.
  for (let i = 0; i < 200; i++) ledger.sent('a', base64(3 + (i & 1)), 100, 0)
  ledger.markReturned(first ?? '', 100)
  ledger.markReturned(second ?? '', 200)
  const [cut] = ledger.clear(250)
  expect(cut?.heardMs).toBe(250)
  expect(cut?.rest.length).toBe(200 * 800 - 50 * 8)
  expect([...new Set(cut?.rest.subarray(0, 400))]).toEqual([3])
  expect(cut?.rest.at(400)).toBe(4)
  expect(cut?.rest.at(-1)).toBe(4)
  // Nothing of it is left for the next item.
  ledger.sent('b', base64(9), 100, 300)
  expect([...new Set(ledger.clear(300)[0]?.rest)]).toEqual([9])
})
