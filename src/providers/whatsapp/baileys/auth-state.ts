import {
  type AuthenticationCreds,
  type AuthenticationState,
  BufferJSON,
  initAuthCreds,
  proto,
  type SignalDataSet,
  type SignalDataTypeMap,
} from '@whiskeysockets/baileys'
import { AppError } from '../../../lib/errors.ts'
import type { SecretBox } from '../../../lib/secret-box.ts'
import { type AuthChanges, type AuthStore, STALE_OWNER } from '../port.ts'

/** Auth state of one account for one socket. */
export type LoadedAuth = {
  state: AuthenticationState
  /** A phone has linked this account. */
  isLinked(): boolean
  /** Writes the credentials as they are now; writes follow one another in order. Rejects when the store does. */
  saveCreds(): Promise<void>
  /** No write is begun after this: the socket is gone, and the next one must not be overwritten by its last words. */
  revoke(): void
  /** Resolves when every write that was begun is done, well or badly. */
  settled(): Promise<void>
}

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
  let lastCreds: Promise<void> = Promise.resolve()
  const begun = new Set<Promise<void>>()
  const write = async (changes: () => AuthChanges, after: Promise<void>) => {
    if (revoked)
      throw new AppError('conflict', 'socket_closed', 'The socket is gone; its keys are not written any more.')
    const work = after.then(() => guard(() => store.write(changes())))
    begun.add(work)
    try {
      await work
    } finally {
      begun.delete(work)
    }
  }
  const saveCreds = () => {
    const work = write(() => ({ creds: box.seal(encode(creds), 'creds'), keys: [] }), lastCreds)
    lastCreds = work.catch(() => undefined)
    return work
  }
  return {
    state: {
      creds,
      keys: {
        get: <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) =>
          guard(async () => {
            const found: { [id: string]: SignalDataTypeMap[T] } = {}
            if (ids.length === 0) return found
            for (const [id, value] of await store.readKeys(type, ids))
              found[id] = revive(type, decode(box.open(value, keyContext(type, id))))
            return found
          }),
        set: (data: SignalDataSet) => write(() => ({ keys: sealKeys(data, box) }), Promise.resolve()),
      },
    },
    isLinked: () => creds.account !== undefined,
    saveCreds,
    revoke: () => {
      revoked = true
    },
    settled: async () => {
      await Promise.allSettled([lastCreds, ...begun])
    },
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
