// Runs in its own process, so that all its output can be searched. Arguments: `account` or `bare`. `bare` is an unmodified
// client without the adapter, which proves that the search finds leaks.
import { createLogger } from '../../../../src/lib/log.ts'
import { startWhatsAppSandbox } from '../../../../src/sandbox/whatsapp/server.ts'
import { linkByQr, MemoryAuth, until } from '../../../sandbox/whatsapp/client.ts'
import { Harness, MapStore } from './harness.ts'

const ME = '+972501111111'
const BOB = '+972502222222'
const sandboxModule = new URL('./sandbox-process.ts', import.meta.url).pathname
const mode = process.argv[2]

if (mode === 'account') {
  const sandbox = await startWhatsAppSandbox({ port: 0 })
  const harness = new Harness(sandbox, new MapStore(), { log: createLogger('trace') })
  await harness.work(sandbox, ME)
  await harness.text('first', BOB, 'hi')
  for (let round = 0; round < 3; round++) {
    const id = await sandbox.send({ from: BOB, to: ME }, { kind: 'text', text: 'hello' })
    await harness.until(() => harness.inbound.some((event) => event.id === id), 'the text')
    await sandbox.forgetSessions({ contact: BOB, account: ME })
    await harness.text(`m${round}`, BOB, 'hi')
  }
  sandbox.act(ME, { action: 'unlink' })
  await harness.until(() => harness.state === 'logged_out', 'logged_out')
  await sandbox.close()
} else {
  // The sandbox silences the console of its own process, so it runs in another one.
  const child = Bun.spawn({ cmd: [process.execPath, sandboxModule], stdout: 'pipe', stdin: 'pipe' })
  const { value } = await child.stdout.getReader().read()
  const { wsUrl, controlUrl } = JSON.parse(Buffer.from(value ?? new Uint8Array()).toString())
  const post = (path: string, body: unknown) =>
    fetch(`${controlUrl}/${path}`, { method: 'POST', body: JSON.stringify(body) })
  const client = await linkByQr({ wsUrl, scan: (qr, phone) => post('scan', { qr, phone }) }, new MemoryAuth(), ME)
  await client.sock.sendMessage('972502222222@s.whatsapp.net', { text: 'hi' })
  // The contact opens a new session, and libsignal prints the session that it closes.
  await post('send', { from: BOB, to: ME, content: { kind: 'text', text: 'hello' } })
  await until(() => client.upserts.some(({ messages }) => messages.some(({ key }) => !key.fromMe)), 'the text')
  await client.end()
  child.kill()
}
process.exit(0)
