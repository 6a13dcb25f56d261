// A worker that is killed at any moment. Arguments: socket URL, folder, key in hex, how many messages to send. Writes
// everything to journals, one JSON line per fact, so that the next process continues where this one died.
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { createLogger } from '../../../../src/lib/log.ts'
import { createSecretBox } from '../../../../src/lib/secret-box.ts'
import { BaileysAccount } from '../../../../src/providers/whatsapp/baileys/account.ts'
import type { AuthChanges, OutboundMessage } from '../../../../src/providers/whatsapp/port.ts'
import { MapStore } from './harness.ts'

const [wsUrl = '', folder = '', key = '', total = '0'] = process.argv.slice(2)
const file = (name: string) => join(folder, name)
const note = (name: string, fact: unknown) => appendFileSync(file(name), `${JSON.stringify(fact)}\n`)
/** A line cut off by the kill was never acknowledged: it is removed, as a database's recovery does. */
const read = (name: string): string[] => {
  if (!existsSync(file(name))) return []
  const text = readFileSync(file(name), 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole !== text) truncateSync(file(name), Buffer.byteLength(whole))
  return whole.split('\n').filter((line) => line !== '')
}

class JournalStore extends MapStore {
  override readonly box = createSecretBox(Buffer.from(key, 'hex'))

  constructor() {
    super()
    for (const line of read('auth')) this.apply(JSON.parse(line))
  }

  override async write(changes: AuthChanges): Promise<void> {
    note('auth', changes)
    await super.write(changes)
  }
}

// A process must not outlive its test by much.
setTimeout(() => process.exit(1), 60_000).unref()

const store = new JournalStore()
const message = (index: number): OutboundMessage => ({
  id: `row-${index}`,
  account: 'acc-1',
  to: '+972502222222',
  text: `out ${index}`,
  providerMessageId: `OUT${String(index).padStart(4, '0')}`,
})
const account = new BaileysAccount({
  account: 'acc-1',
  store,
  box: store.box,
  log: createLogger('silent'),
  websocketUrl: wsUrl,
  timing: { ackMs: 1_000, reconcileMs: 200, reconnect: { minMs: 20, maxMs: 100 } },
  hooks: {
    onInbound: async (event) => note('inbox', event.id),
    onReceipts: async () => {},
    onStatus: ({ qr, state }) => console.log(JSON.stringify({ qr, state })),
    getMessage: async (id) => message(Number(id.slice(3))),
  },
})
await account.start()
const sent = new Set(read('sent').map((line) => JSON.parse(line)))
for (let index = 0; index < Number(total); index++)
  while (!sent.has(index)) {
    const outcome = await account.send(message(index))
    if (outcome.outcome === 'accepted') {
      note('sent', index)
      sent.add(index)
    } else await Bun.sleep(20)
  }
console.log(JSON.stringify({ qr: null, state: 'all sent' }))
