// The floor: Baileys alone, keys in memory. Arguments: socket URL, control URL, messages, idle accounts.
import makeWASocket, {
  type AuthenticationState,
  initAuthCreds,
  type SignalDataSet,
  type SignalDataTypeMap,
  type WASocket,
} from '@whiskeysockets/baileys'
import pino from 'pino'
import { z } from 'zod'
import { LIBSIGNAL_LINES, quietConsole } from '../src/lib/quiet-console.ts'
import { collect, collectedMemory } from './collected-memory.ts'

export const bareReport = z.object({
  outbound: z.number(),
  inbound: z.number(),
  perAccountMb: z.number(),
  processMb: z.number(),
})
export type BareReport = z.infer<typeof bareReport>

/** Idle accounts linked before the first measurement of the memory. */
export const IDLE_BEFORE = 5
const WARM_UP = 50
const CONTACT = '972509999998'

function memoryState(): AuthenticationState {
  const kept = new Map<string, unknown>()
  return {
    creds: initAuthCreds(),
    keys: {
      get: <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
        const found: { [id: string]: SignalDataTypeMap[T] } = {}
        for (const id of ids) {
          const value = kept.get(`${type}/${id}`)
          // `set` stored it under this type.
          if (value !== undefined) found[id] = value as SignalDataTypeMap[T]
        }
        return found
      },
      set: (data: SignalDataSet) => {
        for (const [type, entries] of Object.entries(data))
          for (const [id, value] of Object.entries(entries ?? {}))
            if (value === null) kept.delete(`${type}/${id}`)
            else kept.set(`${type}/${id}`, value)
      },
    },
  }
}

async function open(wsUrl: string, control: string, phone: string): Promise<WASocket> {
  const auth = memoryState()
  const { promise, resolve, reject } = Promise.withResolvers<WASocket>()
  const connect = () => {
    const sock = makeWASocket({ auth, waWebSocketUrl: wsUrl, logger: pino({ level: 'silent' }) })
    sock.ev.on('connection.update', ({ connection, qr }) => {
      if (qr) fetch(`${control}/scan`, { method: 'POST', body: JSON.stringify({ qr, phone }) }).catch(reject)
      if (connection === 'open') resolve(sock)
      if (connection === 'close') connect()
    })
  }
  connect()
  return promise
}

async function run(wsUrl: string, control: string, messages: number, idle: number): Promise<BareReport> {
  quietConsole(LIBSIGNAL_LINES)
  // Two runs against one server must not share a number.
  const own = `9725081${String(process.pid % 100_000).padStart(5, '0')}`
  const sock = await open(wsUrl, control, own)
  const jid = `${CONTACT}@s.whatsapp.net`
  for (let index = 0; index < WARM_UP; index++) await sock.sendMessage(jid, { text: `warm up ${index}` })
  const outBegin = performance.now()
  for (let index = 0; index < messages; index++) {
    const id = `BARE${index}`
    const taken = sock.waitForMessage(id, 20_000)
    await sock.sendMessage(jid, { text: `out ${index}` }, { messageId: id })
    await taken
  }
  const outbound = messages / ((performance.now() - outBegin) / 1_000)
  let got = 0
  sock.ev.on('messages.upsert', ({ messages: batch }) => {
    got += batch.filter(({ key }) => !key.fromMe).length
  })
  const inBegin = performance.now()
  for (let index = 0; index < messages; index++)
    await fetch(`${control}/send`, {
      method: 'POST',
      body: JSON.stringify({ from: CONTACT, to: own, content: { kind: 'text', text: `in ${index}` } }),
    })
  while (got < messages) await Bun.sleep(5)
  const inbound = messages / ((performance.now() - inBegin) / 1_000)
  if (idle === 0) return { outbound, inbound, perAccountMb: 0, processMb: 0 }
  const openIdle = (index: number) => open(wsUrl, control, `9725082${String(index).padStart(5, '0')}`)
  for (let index = 1; index <= IDLE_BEFORE; index++) await openIdle(index)
  await Bun.sleep(5_000)
  const processMb = await collectedMemory(process.pid, collect)
  for (let index = 1; index <= idle; index++) await openIdle(IDLE_BEFORE + index)
  await Bun.sleep(5_000)
  return {
    outbound,
    inbound,
    perAccountMb: ((await collectedMemory(process.pid, collect)) - processMb) / idle,
    processMb,
  }
}

if (import.meta.main) {
  const [wsUrl = '', control = '', messages = '0', idle = '0'] = process.argv.slice(2)
  console.log(JSON.stringify(await run(wsUrl, control, Number(messages), Number(idle))))
  process.exit(0)
}
