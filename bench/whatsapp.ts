// Messages per second and memory per account: bun bench/whatsapp.ts [--messages 500] [--idle 30]. The floor is a bare Baileys
// socket with its keys in memory, in the same run against the same server.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createDeps } from '../src/composition/deps.ts'
import { loadConfig } from '../src/config.ts'
import { createBusiness } from '../src/domain/businesses/index.ts'
import { type BusinessContext, within } from '../src/domain/context.ts'
import { requestMessage } from '../src/domain/messages/index.ts'
import { createAccount, getLink } from '../src/domain/whatsapp/index.ts'
import { startWhatsAppSandbox } from '../src/sandbox/whatsapp/server.ts'
import { runCleanups, temporaryDirectory } from '../test/support/cleanup.ts'
import { createTestDatabase } from '../test/support/postgres.ts'
import { startProductProcess } from '../test/support/product-process.ts'
import { type BareReport, bareReport, IDLE_BEFORE } from './bare-whatsapp.ts'
import { collectedMemory, collectIn, PRELOADED } from './collected-memory.ts'

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '500' }, idle: { type: 'string', default: '30' } },
})
const messages = Number(values.messages)
const idle = Number(values.idle)
const CONTACT = '+972509999999'
const WARM_UP = 50
const AT_ONCE = { gapMs: 0, jitterMs: 0, typingMsPerChar: 0, newContactsPerDay: null }

const sandbox = await startWhatsAppSandbox({ port: 0 })
const database = await createTestDatabase()
const env = {
  NODE_ENV: 'test',
  SANDBOX: '1',
  DATA_DIR: temporaryDirectory('bench'),
  DATABASE_URL: database.url,
  SESSION_SECRET: 'the-secret-of-the-benchmark',
  BAILEYS_WEBSOCKET_URL: sandbox.wsUrl,
  LOG_LEVEL: 'warn',
}
const deps = await createDeps(loadConfig(env), 'cli')
const worker = await startProductProcess('workers/whatsapp.ts', env)

const until = async (look: () => Promise<boolean> | boolean, what: string) => {
  for (const deadline = Date.now() + 120_000; !(await look()); await Bun.sleep(10))
    if (Date.now() > deadline) throw new Error(`waited two minutes for ${what}`)
}
const rate = (beginAt: number, count = messages) => count / ((performance.now() - beginAt) / 1_000)

async function link(index: number): Promise<BusinessContext> {
  const ctx = within(deps.ctx, await createBusiness(deps.ctx, { name: `Bench ${index}`, language: 'en' }))
  const { id } = await createAccount(ctx, AT_ONCE)
  let scanned = ''
  await until(async () => {
    const { qr, state } = await getLink(ctx, id)
    if (qr && qr !== scanned) {
      scanned = qr
      await sandbox.scan(qr, `+97250800${String(index).padStart(4, '0')}`)
    }
    return state === 'working'
  }, 'the account to be linked')
  return ctx
}

const ctx = await link(0)
const settings = { twilio: () => ({ configured: false, defaultSender: null, own: false }) }
let asked = 0
const ask = async (count: number) => {
  for (let index = 0; index < count; index++)
    await requestMessage(ctx, { to: CONTACT, text: `out ${asked++}`, provider: 'baileys' }, settings)
}
const arrived = (count: number) =>
  until(() => sandbox.inbox(CONTACT).length >= count, `${count} messages to arrive`).then(() => performance.now())
await ask(WARM_UP)
await arrived(WARM_UP)

// One client asks, one message after the other, during the sends.
const askBegin = performance.now()
await ask(messages)
await arrived(asked)
const outboundAsked = rate(askBegin)

// The queue at the worker's restart measures the worker alone, as the floor has no API either.
await worker.stop(10_000)
const before = asked
await ask(messages + WARM_UP)
const second = await startProductProcess('workers/whatsapp.ts', env)
const outBegin = await arrived(before + WARM_UP)
const begun = sandbox.inbox(CONTACT).length
await arrived(asked)
const outbound = rate(outBegin, asked - begun)

const writeIn = async (count: number) => {
  for (let index = 0; index < count; index++)
    await sandbox.send({ from: CONTACT, to: '+972508000000' }, { kind: 'text', text: `in ${index}` })
}
const stored = (count: number) =>
  until(async () => {
    const [row] = await deps.database.sql<
      { count: number }[]
    >`select count(*)::int as count from messages where direction = 'in'`
    return (row?.count ?? 0) >= count
  }, 'the messages to be stored')
await writeIn(WARM_UP)
await stored(WARM_UP)
const inBegin = performance.now()
await writeIn(messages)
await stored(messages + WARM_UP)
const inbound = rate(inBegin)
await second.stop(10_000)

// Memory is measured in a fresh process: the rest of a burst is not a cost of an idle account. A few accounts are linked before
// the first measurement, so that code loaded for linking is not counted.
const fresh = await startProductProcess('workers/whatsapp.ts', { ...env, ...PRELOADED })
const memory = () => collectedMemory(fresh.pid, () => collectIn(fresh.pid))
for (let index = 1; index <= IDLE_BEFORE; index++) await link(index)
await Bun.sleep(5_000)
const withFew = await memory()
for (let index = 1; index <= idle; index++) await link(IDLE_BEFORE + index)
await Bun.sleep(5_000)
const withMany = await memory()
await fresh.stop(10_000)

// The floor's memory is measured in a process of its own too.
const measureBare = async (count: number, accounts: number): Promise<BareReport> => {
  const script = join(import.meta.dir, 'bare-whatsapp.ts')
  const command = [process.execPath, script, sandbox.wsUrl, sandbox.controlUrl, String(count), String(accounts)]
  const bare = Bun.spawn(command, { stdout: 'pipe', stderr: 'inherit' })
  return bareReport.parse(JSON.parse(await new Response(bare.stdout).text()))
}
const { outbound: outboundFloor, inbound: inboundFloor } = await measureBare(messages, 0)
const floor = await measureBare(0, idle)
const perAccount = (withMany - withFew) / idle
console.log(`                         product     bare Baileys   ratio
outbound, asked meanwhile${cell(outboundAsked)}
outbound, messages/s     ${cell(outbound)}${cell(outboundFloor, 15)}${cell(outbound / outboundFloor, 8)}
inbound, messages/s      ${cell(inbound)}${cell(inboundFloor, 15)}${cell(inbound / inboundFloor, 8)}
an idle account, MB      ${cell(perAccount)}${cell(floor.perAccountMb, 15)}${cell(perAccount / floor.perAccountMb, 8)}
process with ${IDLE_BEFORE}, MB       ${cell(withFew)}${cell(floor.processMb, 15)}${cell(withFew / floor.processMb, 8)}`)

await deps.close()
await sandbox.close()
await runCleanups()
process.exit(0)

function cell(value: number, width = 7): string {
  return value.toFixed(value < 10 ? 2 : 1).padStart(width)
}
