import { describe, expect, test } from 'bun:test'
import { MAX_BUFFERED_MS, PlaybackBuffer } from '../../../src/sandbox/carrier/playback-buffer.ts'

const audio = (ms: number, byte = 1): Uint8Array => new Uint8Array(ms * 8).fill(byte)

describe('PlaybackBuffer', () => {
  test('a mark on an empty buffer is due at once', () => {
    const buffer = new PlaybackBuffer()
    buffer.mark(10, 'a')
    expect(buffer.advance(10)).toEqual([{ name: 'a', cleared: false }])
  })

  test('a mark returns when everything before it has been played, at 8,000 bytes a second', () => {
    const buffer = new PlaybackBuffer()
    buffer.push(0, audio(100))
    buffer.mark(0, 'first')
    buffer.push(0, audio(50))
    buffer.mark(0, 'second')
    expect(buffer.advance(99)).toEqual([])
    expect(buffer.advance(100)).toEqual([{ name: 'first', cleared: false }])
    expect(buffer.bufferedMs(100)).toBe(50)
    expect(buffer.advance(149)).toEqual([])
    expect(buffer.advance(150)).toEqual([{ name: 'second', cleared: false }])
    expect(buffer.heard().length).toBe(150 * 8)
  })

  test('audio after a pause begins when it arrives', () => {
    const buffer = new PlaybackBuffer()
    buffer.push(0, audio(100))
    buffer.push(1000, audio(100))
    buffer.mark(1000, 'late')
    expect(buffer.advance(1099)).toEqual([])
    expect(buffer.advance(1100)).toEqual([{ name: 'late', cleared: false }])
    expect(buffer.spans()).toEqual([
      { startMs: 0, endMs: 100 },
      { startMs: 1000, endMs: 1100 },
    ])
  })

  test('clear returns every pending mark, and tells what was heard from what was not', () => {
    const buffer = new PlaybackBuffer()
    buffer.push(0, audio(100, 1))
    buffer.mark(0, 'heard')
    buffer.push(0, audio(100, 2))
    buffer.mark(0, 'half')
    buffer.push(0, audio(100, 3))
    buffer.mark(0, 'never')
    const { marks, clearedMs } = buffer.clear(150)
    expect(marks).toEqual([
      { name: 'heard', cleared: false },
      { name: 'half', cleared: true },
      { name: 'never', cleared: true },
    ])
    expect(clearedMs).toBe(150)
    expect(buffer.heard().length).toBe(150 * 8)
    expect(buffer.unheard().length).toBe(150 * 8)
    expect(buffer.unheard()[0]).toBe(2)
    expect(buffer.bufferedMs(150)).toBe(0)
    expect(buffer.playing(151)).toBeNull()
    expect(buffer.clear(160)).toEqual({ marks: [], clearedMs: 0 })
  })

  test('more than ten minutes are dropped', () => {
    const buffer = new PlaybackBuffer()
    expect(buffer.push(0, audio(MAX_BUFFERED_MS))).toBe(true)
    expect(buffer.push(0, audio(20))).toBe(false)
    expect(buffer.push(20, audio(20))).toBe(true)
  })
})
