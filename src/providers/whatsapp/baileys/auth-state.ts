import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type AuthenticationCreds,
  type AuthenticationState,
  BufferJSON,
  initAuthCreds,
  proto,
  type SignalDataSet,
  type SignalDataTypeMap,
} from '@whiskeysockets/baileys'
import { createBatcher } from '../../../lib/batcher.ts'
import { AppError } from '../../../lib/errors.ts'
import type { SecretBox } from '../../../lib/secret-box.ts'
import { type AuthChanges, type AuthStore, STALE_OWNER } from '../port.ts'
import { KeyCache } from './key-cache.ts'

export type LoadedAuth = {
  state: AuthenticationState
  isLinked(): boolean
  /** Stores the current credentials, in order with the other writes. Rejects when the store does. */
  saveCreds(): Promise<void>
  /**
   * Runs `work` without waiting for its key writes, which later reads see at once. Nothing that depends on them may be sent
   * before `written` resolves.
   */
  deferWrites<T>(work: () => Promise<T>): Promise<{ result: T; written: Promise<void> }>
  /** No write begins after this: the socket is closed, and its last writes must not overwrite the next one's. */
  revoke(): void
  /** Resolves when every write that was begun has ended. */
  settled(): Promise<void>
}

/** Writes that the current work does not wait for. */
const deferred = new AsyncLocalStorage<Promise<void>[]>()

/**
 * Baileys' authentication state over a store of encrypted texts.
 * Baileys takes some read errors for "no session" and continues. `onFault` is therefore called with every failed read or write
 * before the error is thrown, so that the socket is cut before anything built on it is sent.
 */
export async function loadAuth(
  store: AuthStore,
  box: SecretBox,
  onFault: (error: unknown) => void,
): Promise<LoadedAuth> {
  const creds = await readCreds(store, box)
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      onFault(error)
      throw error
    }
  }
  let revoked = false
  let credsChanged = false
  let failure: { error: unknown } | null = null
  const cache = new KeyCache()
  const writes = createBatcher(async () => {
    // Later writes may depend on the one that failed.
    if (failure) throw failure.error
    const keys = cache.takeUnwritten()
    const withCreds = credsChanged ? { creds: box.seal(encode(creds), 'creds') } : {}
    credsChanged = false
    try {
      await guard(() => store.write({ ...withCreds, keys }))
      cache.written()
    } catch (error) {
      failure = { error }
      revoked = true
      // The state of the store is unknown now.
      cache.clear()
      throw error
    }
  })
  const write = async (note: () => void) => {
    if (revoked)
      throw new AppError('conflict', 'socket_closed', 'The socket is closed; its keys are no longer written.')
    note()
    const written = writes.ask()
    const later = deferred.getStore()
    if (!later) return written
    later.push(written)
    // `deferWrites` awaits it; until then a rejection must not count as unhandled.
    written.catch(() => undefined)
  }
  return {
    state: {
      creds,
      keys: {
        get: (type, ids) => guard(() => readKeys({ store, box, cache }, type, ids)),
        set: (data: SignalDataSet) => write(() => cache.put(sealKeys(data, box))),
      },
    },
    isLinked: () => creds.account !== undefined,
    saveCreds: () =>
      write(() => {
        credsChanged = true
      }),
    async deferWrites(work) {
      const begun: Promise<void>[] = []
      const result = await deferred.run(begun, work)
      return { result, written: Promise.all(begun).then(() => undefined) }
    },
    revoke: () => {
      revoked = true
    },
    settled: () => writes.settled(),
  }
}

async function readCreds(store: AuthStore, box: SecretBox): Promise<AuthenticationCreds> {
  const sealed = await store.readCreds()
  const creds = sealed === null ? initAuthCreds() : decode<AuthenticationCreds>(box.open(sealed, 'creds'))
  // An unfinished pairing leaves a name behind with which a login would be refused.
  if (!creds.account) {
    creds.me = undefined
    creds.pairingCode = undefined
  }
  return creds
}

async function readKeys<T extends keyof SignalDataTypeMap>(
  { store, box, cache }: { store: AuthStore; box: SecretBox; cache: KeyCache },
  type: T,
  ids: string[],
): Promise<{ [id: string]: SignalDataTypeMap[T] }> {
  const found: { [id: string]: SignalDataTypeMap[T] } = {}
  const add = (id: string, value: string | null | undefined) => {
    if (value) found[id] = revive(type, decode(box.open(value, keyContext(type, id))))
  }
  const missing = ids.filter((id) => {
    const value = cache.get(type, id)
    add(id, value)
    return value === undefined
  })
  if (missing.length === 0) return found
  const { version } = cache
  const rows = await store.readKeys(type, missing)
  for (const id of missing) {
    // A value written meanwhile is newer than the one read.
    const put = cache.get(type, id)
    const value = put === undefined ? (rows.get(id) ?? null) : put
    if (version === cache.version) cache.learn(type, id, value)
    add(id, value)
  }
  return found
}

export function isStaleOwner(error: unknown): boolean {
  return error instanceof AppError && error.code === STALE_OWNER
}

function sealKeys(data: SignalDataSet, box: SecretBox): AuthChanges['keys'] {
  const keys: AuthChanges['keys'] = []
  for (const [type, entries] of Object.entries(data))
    for (const [id, value] of Object.entries(entries ?? {})) {
      const gone = value === null || value === undefined
      keys.push({ type, id, value: gone ? null : box.seal(encode(value), keyContext(type, id)) })
    }
  return keys
}

/** Baileys expects a protobuf class for this one type; JSON gives a plain object. */
function revive<T extends keyof SignalDataTypeMap>(type: T, value: SignalDataTypeMap[T]): SignalDataTypeMap[T] {
  if (type !== 'app-state-sync-key') return value
  const data: object = Object(value)
  Object.setPrototypeOf(data, proto.Message.AppStateSyncKeyData.prototype)
  return Object.assign(value, proto.Message.AppStateSyncKeyData.fromObject({ ...data }))
}

const keyContext = (type: string, id: string) => `key:${type}:${id}`
const encode = (value: unknown) => JSON.stringify(value, BufferJSON.replacer)
function decode<T>(text: string): T {
  return JSON.parse(text, BufferJSON.reviver)
}
