import { beforeEach, expect, test } from 'bun:test'
import { type LoadedAuth, loadAuth } from '../../../../src/providers/whatsapp/baileys/auth-state.ts'
import { KeyCache } from '../../../../src/providers/whatsapp/baileys/key-cache.ts'
import type { AuthChanges } from '../../../../src/providers/whatsapp/port.ts'
import { MapStore } from './harness.ts'

const session = (value: number) => ({ session: { bob: new Uint8Array([value]) } })
let store: MapStore
let auth: LoadedAuth
let faults: unknown[]
let reads: number
let writes: AuthChanges[]

beforeEach(async () => {
  store = new MapStore()
  faults = []
  reads = 0
  writes = []
  store.onWrite = async (changes) => {
    writes.push(changes)
    await Bun.sleep(20)
  }
  const readKeys = store.readKeys.bind(store)
  store.readKeys = async (type, ids) => {
    reads += 1
    const found = await readKeys(type, ids)
    await Bun.sleep(10)
    return found
  }
  auth = await loadAuth(store, store.box, (error) => faults.push(error))
})

const bob = async () => (await auth.state.keys.get('session', ['bob'])).bob?.[0]

test('a key is asked of the store once, and so is one that is not there', async () => {
  expect(await bob()).toBeUndefined()
  expect(await bob()).toBeUndefined()
  expect(reads).toBe(1)
  await auth.state.keys.set(session(1))
  expect(await bob()).toBe(1)
  expect(reads).toBe(1)
})

test('each reader has its own copy', async () => {
  await auth.state.keys.set(session(1))
  const { bob: mine } = await auth.state.keys.get('session', ['bob'])
  mine?.fill(9)
  expect(await bob()).toBe(1)
})

test('a read that was under way does not bring back what was written meanwhile', async () => {
  const early = bob()
  await Bun.sleep(2)
  await auth.state.keys.set(session(2))
  expect(await early).toBe(2)
  expect(await bob()).toBe(2)
})

test('deferred writes are read at once, go in one statement, and resolve when they are stored', async () => {
  const first = await auth.deferWrites(async () => auth.state.keys.set(session(3)))
  const second = await auth.deferWrites(async () => auth.state.keys.set({ session: { eve: new Uint8Array([4]) } }))
  expect({ written: writes.length, read: await bob() }).toEqual({ written: 0, read: 3 })
  await Promise.all([first.written, second.written])
  expect(writes.map(({ keys }) => keys.map(({ id }) => id))).toEqual([['bob', 'eve']])
  expect(store.keys.has('session/eve')).toBe(true)
})

test('the last value of a key is the one that stays', async () => {
  const first = auth.state.keys.set(session(5))
  await Bun.sleep(5)
  await Promise.all([auth.state.keys.set(session(6)), auth.state.keys.set(session(7)), first])
  const fresh = await loadAuth(store, store.box, () => {})
  expect((await fresh.state.keys.get('session', ['bob'])).bob?.[0]).toBe(7)
  expect(writes).toHaveLength(2)
})

test('after a failed write no dependent write is made or reported as made', async () => {
  store.writeError = new Error('the database is away')
  const { written } = await auth.deferWrites(async () => auth.state.keys.set(session(8)))
  await Bun.sleep(5)
  const after = auth.state.keys.set({ session: { eve: new Uint8Array([9]) } })
  const failed = await Promise.allSettled([written, after])
  store.writeError = null
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(faults).toHaveLength(1)
  await expect(auth.state.keys.set(session(10))).rejects.toThrow('socket is closed')
  expect(store.keys.size).toBe(0)
})

test('what was asked for before a revocation is written, and nothing after it', async () => {
  const before = auth.state.keys.set(session(11))
  auth.revoke()
  await expect(auth.saveCreds()).rejects.toThrow('socket is closed')
  await auth.settled()
  await before
  expect(store.keys.has('session/bob')).toBe(true)
})

test('the cache holds no more than its share, and no pre-keys', () => {
  const cache = new KeyCache()
  for (let index = 0; index < 100; index++) cache.learn('session', String(index), 'x'.repeat(10_000))
  cache.learn('pre-key', '1', 'x')
  const kept = Array.from({ length: 100 }, (_, index) => cache.get('session', String(index))).filter(Boolean)
  expect(kept).toHaveLength(20)
  expect(cache.get('session', '99')).toBeDefined()
  expect(cache.get('pre-key', '1')).toBeUndefined()
})
