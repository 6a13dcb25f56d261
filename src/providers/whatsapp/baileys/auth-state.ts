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

/** Auth state of one account for one socket. */
export type LoadedAuth = {
  state: AuthenticationState
  /** A phone has linked this account. */
  isLinked(): boolean
  /** Writes the credentials as they are now; writes follow one another in order. Rejects when the store does. */
  saveCreds(): Promise<void>
  /**
   * Runs `work` without waiting for the keys it writes: they are read as written at once. Nothing that was built on them may
   * leave before `written` resolves.
   */
  deferWrites<T>(work: () => Promise<T>): Promise<{ result: T; written: Promise<void> }>
  /** No write is begun after this: the socket is gone, and the next one must not be overwritten by its last words. */
  revoke(): void
  /** Resolves when every write that was begun is done, well or badly. */
  settled(): Promise<void>
}

/** The writes that the work under way does not wait for. */
const deferred = new AsyncLocalStorage<Promise<void>[]>()

/**
 * Baileys' authentication state over a store of encrypted texts.
 *
 * Baileys takes some read errors for "no session" and goes on. `onFault` is therefore told of every failed read or write,
 * before the error is thrown, so that the socket can be cut and nothing built on a wrong "none" leaves.
 */
export async function loadAuth(
  store: AuthStore,
  box: SecretBox,
  onFault: (error: unknown) => void,
): Promise<LoadedAuth> {
  const sealed = await store.readCreds()
  const creds = sealed === null ? initAuthCreds() : decode<AuthenticationCreds>(box.open(sealed, 'creds'))
  // A pairing that was begun and not finished leaves a name behind with which a login would be refused.
  if (!creds.account) {
    creds.me = undefined
    creds.pairingCode = undefined
  }
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
    // What follows a write that failed may rest on it.
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
      // Nobody knows what the store holds now.
      cache.clear()
      throw error
    }
  })
  const write = async (note: () => void) => {
    if (revoked)
      throw new AppError('conflict', 'socket_closed', 'The socket is gone; its keys are not written any more.')
    note()
    const written = writes.ask()
    const later = deferred.getStore()
    if (!later) return written
    later.push(written)
    // Whoever deferred it waits for it; until then its failure is nobody's.
    written.catch(() => undefined)
  }
  return {
    state: {
      creds,
      keys: {
        get: <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) =>
          guard(async () => {
            const found: { [id: string]: SignalDataTypeMap[T] } = {}
            const give = (id: string, value: string | null | undefined) => {
              if (value) found[id] = revive(type, decode(box.open(value, keyContext(type, id))))
            }
            const asked = ids.filter((id) => {
              const value = cache.get(type, id)
              give(id, value)
              return value === undefined
            })
            if (asked.length === 0) return found
            const { version } = cache
            const rows = await store.readKeys(type, asked)
            for (const id of asked) {
              // What was put meanwhile is newer than what was read.
              const put = cache.get(type, id)
              const value = put === undefined ? (rows.get(id) ?? null) : put
              if (version === cache.version) cache.learn(type, id, value)
              give(id, value)
            }
            return found
          }),
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

/** The store refused because another process owns the account now. */
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

/** Baileys works with protobuf classes for this one type; JSON gives back a plain object. */
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
