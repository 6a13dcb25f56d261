import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { tryLock, waitForLock } from '../../src/lib/process-lock.ts'
import { temporaryDirectory } from '../support/cleanup.ts'

test('a lock holds until it is released, also when its holder forgot about it', async () => {
  const path = join(temporaryDirectory('lock'), 'some.lock')
  const first = tryLock(path)
  expect(first.held).toBe(true)
  Bun.gc(true)
  await Bun.sleep(20)
  Bun.gc(true)
  expect(tryLock(path)).toEqual({ held: false, pid: process.pid })
  await expect(waitForLock(path, 120)).rejects.toThrow(`still held by process ${process.pid}`)
  await Bun.sleep(200)
  if (first.held) first.lock.release()
  const second = await waitForLock(path, 100)
  second.release()
})

test('a lock whose holder threw it away outlives the collector', async () => {
  const path = join(temporaryDirectory('lock'), 'some.lock')
  const take = () => tryLock(path).held
  expect(take()).toBe(true)
  for (let round = 0; round < 5; round += 1) {
    Bun.gc(true)
    await Bun.sleep(5)
  }
  expect(take()).toBe(false)
})
