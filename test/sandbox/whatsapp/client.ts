import makeWASocket, {
  type AuthenticationState,
  BufferJSON,
  type ConnectionState,
  initAuthCreds,
  type MessageUpsertType,
  proto,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SocketConfig,
  type WAMessage,
  type WAMessageUpdate,
  type WASocket,
} from '@whiskeysockets/baileys'
import pino from 'pino'

/** The sandbox, or one in another process: where a client connects, and a phone that scans its code. */
export type PhoneLink = { readonly wsUrl: string; scan(qr: string, phone: string): Promise<unknown> }

/** Auth state in memory whose every value passes through JSON text, as a database's would. */
export class MemoryAuth {
  readonly rows = new Map<string, string>()
  private creds = JSON.stringify(initAuthCreds(), BufferJSON.replacer)

  save(creds: unknown): void {
    this.creds = JSON.stringify(creds, BufferJSON.replacer)
  }

  load(): AuthenticationState {
    return {
      creds: JSON.parse(this.creds, BufferJSON.reviver),
      keys: {
        get: async <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
          const found: { [id: string]: SignalDataTypeMap[T] } = {}
          for (const id of ids) {
            const text = this.rows.get(`${type}:${id}`)
            if (!text) continue
            const value = JSON.parse(text, BufferJSON.reviver)
            found[id] = type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(value) : value
          }
          return found
        },
        set: async (data: SignalDataSet) => {
          for (const [type, entries] of Object.entries(data))
            for (const [id, value] of Object.entries(entries ?? {}))
              if (value === null) this.rows.delete(`${type}:${id}`)
              else this.rows.set(`${type}:${id}`, JSON.stringify(value, BufferJSON.replacer))
        },
      },
    }
  }
}

/** A bare, unmodified Baileys client and its events. */
export class Client {
  readonly sock: WASocket
  readonly upserts: { messages: WAMessage[]; type: MessageUpsertType }[] = []
  readonly updates: WAMessageUpdate[] = []
  readonly connection: Partial<ConnectionState>[] = []
  readonly histories: WAMessage[][] = []

  constructor(url: string, auth: MemoryAuth, extra: Partial<SocketConfig> = {}) {
    this.sock = makeWASocket({ waWebSocketUrl: url, auth: auth.load(), logger: pino({ level: 'silent' }), ...extra })
    this.sock.ev.on('creds.update', () => auth.save(this.sock.authState.creds))
    this.sock.ev.on('connection.update', (update) => void this.connection.push(update))
    this.sock.ev.on('messages.upsert', (upsert) => void this.upserts.push(upsert))
    this.sock.ev.on('messages.update', (updates) => void this.updates.push(...updates))
    this.sock.ev.on('messaging-history.set', ({ messages }) => void this.histories.push(messages))
  }

  closeCode(): number | undefined {
    const error = this.connection.find(({ connection }) => connection === 'close')?.lastDisconnect?.error
    return error && 'output' in error ? Object(error.output).statusCode : undefined
  }

  get isOpen(): boolean {
    return this.connection.some(({ connection }) => connection === 'open')
  }

  qr(): string | undefined {
    return this.connection.find(({ qr }) => qr)?.qr
  }

  messages(id: string): WAMessage[] {
    return this.upserts.flatMap(({ messages }) => messages).filter(({ key }) => key.id === id)
  }

  received(id: string): WAMessage | undefined {
    return this.messages(id).find(({ message }) => message)
  }

  /** Highest status reported of a message, by an update or folded into an upsert. */
  status(id: string): number {
    const fromUpdates = this.updates.filter(({ key }) => key.id === id).map(({ update }) => update.status ?? 0)
    return Math.max(0, ...fromUpdates, ...this.messages(id).map(({ status }) => status ?? 0))
  }

  async end(): Promise<void> {
    await this.sock.end(undefined)
  }
}

/** Polls until `look` answers something truthy; throws after `timeoutMs`. */
export async function until<T>(look: () => T | undefined | false | null, what: string, timeoutMs = 8_000): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const value = look()
    if (value) return value
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await Bun.sleep(5)
  }
}

/** Links a new client by QR code and returns it after the restart, open. */
export async function linkByQr(sandbox: PhoneLink, auth: MemoryAuth, phone: string): Promise<Client> {
  const first = new Client(sandbox.wsUrl, auth)
  await sandbox.scan(await until(() => first.qr(), 'a QR code'), phone)
  await until(() => first.closeCode() === 515, 'the restart after pairing')
  return reopen(sandbox, auth)
}

/** Connects with stored auth and waits until the client is open. */
export async function reopen(sandbox: Pick<PhoneLink, 'wsUrl'>, auth: MemoryAuth): Promise<Client> {
  const client = new Client(sandbox.wsUrl, auth)
  await until(() => client.isOpen, 'the client to open', 15_000)
  return client
}
