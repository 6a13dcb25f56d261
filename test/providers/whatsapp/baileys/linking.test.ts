import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import type { WhatsAppSandbox } from '../../../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../../../src/sandbox/whatsapp/server.ts'
import { quietFor } from '../../../support/wait.ts'
import { Harness, MapStore, staleOwner } from './harness.ts'

const BOB = '+972502222222'
let sandbox: WhatsAppSandbox
let phones = 0
const running: Harness[] = []

beforeAll(async () => {
  sandbox = await startWhatsAppSandbox({ port: 0 })
})
afterEach(async () => {
  sandbox.clearFaults()
  for (const harness of running.splice(0)) await harness.account.stop()
})
afterAll(() => sandbox.close())

function make(store = new MapStore(), extra: ConstructorParameters<typeof Harness>[2] = {}): Harness {
  const harness = new Harness(sandbox, store, extra)
  running.push(harness)
  return harness
}
const nextPhone = () => `+97250111${String(++phones).padStart(4, '0')}`

async function linked(extra: Parameters<typeof make>[1] = {}) {
  const phone = nextPhone()
  const store = new MapStore()
  const harness = make(store, extra)
  await harness.work(sandbox, phone)
  return { phone, store, harness }
}

test('a QR code links the account, and the states say what happens and what to do', async () => {
  const phone = nextPhone()
  const harness = make()
  expect(harness.state).toBe('stopped')
  await harness.work(sandbox, phone)
  const status = harness.account.status()
  expect(status).toMatchObject({ state: 'working', reason: null, advice: null, phone, qr: null })
  expect(status.lid).toEndWith('@lid')
  const states = harness.statuses.map(({ state }) => state)
  expect(states.filter((state, index) => state !== states[index - 1])).toEqual([
    'starting',
    'scan_qr',
    'starting',
    'working',
  ])
  const shown = harness.statuses.find(({ state }) => state === 'scan_qr')
  expect(shown?.qr).toInclude('2@')
  expect(shown?.advice).toInclude('scan')
}, 20_000)

test('a pairing code links the account', async () => {
  const phone = nextPhone()
  const harness = make()
  await harness.account.start()
  await harness.until(() => harness.state === 'scan_qr', 'readiness')
  const code = await harness.account.requestPairingCode(phone)
  expect(code).toMatch(/^[1-9A-Z]{8}$/)
  expect(harness.account.status().pairingCode).toBe(code)
  await sandbox.enterCode(phone, code)
  await harness.until(() => harness.state === 'working', 'the account to work', 15_000)
  expect(harness.account.status()).toMatchObject({ phone, pairingCode: null })
}, 20_000)

test('a pairing that is begun and left does not spoil the next attempt', async () => {
  const phone = nextPhone()
  const store = new MapStore()
  const first = make(store)
  await first.account.start()
  await first.until(() => first.state === 'scan_qr', 'readiness')
  await first.account.requestPairingCode(phone)
  await first.account.stop()
  const second = make(store)
  await second.work(sandbox, phone)
}, 20_000)

test('stored credentials are enough to work again, nothing in the store can be read without the key', async () => {
  const { phone, store, harness: first } = await linked()
  await first.account.stop()
  expect(first.account.status()).toMatchObject({ state: 'stopped', reason: 'requested' })
  expect(store.keys.size).toBeGreaterThan(800)
  // Row ids are Signal's addresses and contain numbers; secrets are in the values alone.
  const values = [store.creds, ...store.keys.values()].join('\n')
  const found = ['private', 'advSecretKey', phone.slice(1), 'keyPair'].filter((secret) => values.includes(secret))
  expect(found).toEqual([])
  const second = make(store)
  await second.account.start()
  await second.until(() => second.state === 'working', 'the account to work')
  expect(second.statuses.some(({ qr }) => qr)).toBe(false)
  expect(await second.text('m1', BOB, 'back again')).toMatchObject({ outcome: 'accepted' })
}, 20_000)

test('a read error is never taken for "no identity": nothing is overwritten, and it recovers', async () => {
  const { store, harness: first } = await linked()
  await first.account.stop()
  const { creds } = store
  store.readError = new Error('the database is away')
  const second = make(store)
  await second.account.start()
  await second.until(() => second.state === 'failed', 'the state to say so')
  expect(second.account.status()).toMatchObject({ reason: 'auth_unreadable' })
  expect(second.account.status().retryAt).toBeInstanceOf(Date)
  expect(store.creds).toBe(creds)
  store.readError = null
  await second.until(() => second.state === 'working', 'recovery')
}, 20_000)

test('another key than the one the credentials were sealed with does not start a new identity', async () => {
  const { store, harness: first } = await linked()
  await first.account.stop()
  const { creds } = store
  const second = make(store, { box: new MapStore().box })
  await second.account.start()
  await second.until(() => second.state === 'failed', 'the state to say so')
  expect(second.account.status().reason).toBe('auth_unreadable')
  expect(store.creds).toBe(creds)
}, 20_000)

test('a read error in the middle of work cuts the connection and loses no session', async () => {
  const { phone, store, harness } = await linked()
  await harness.text('m1', BOB, 'one')
  const sessions = [...store.keys.keys()].filter((key) => key.startsWith('session/')).sort()
  // A new socket has not read this chat yet.
  await harness.account.stop()
  await harness.work(sandbox, phone)
  store.readError = new Error('the database is away')
  const outcome = await harness.text('m2', BOB, 'two')
  expect(outcome.outcome).toBe('retry')
  await harness.until(() => harness.state !== 'working', 'the connection to be cut')
  store.readError = null
  await harness.until(() => harness.state === 'working', 'recovery')
  expect([...store.keys.keys()].filter((key) => key.startsWith('session/')).sort()).toEqual(sessions)
  expect(await harness.text('m2', BOB, 'two')).toMatchObject({ outcome: 'accepted' })
}, 20_000)

test('a write refused as stale stops the account for good, and nothing was sent', async () => {
  const { phone, store, harness } = await linked()
  store.writeError = staleOwner()
  const outcome = await harness.text('stale-1', BOB, 'not mine any more')
  expect(['retry', 'unknown']).toContain(outcome.outcome)
  await harness.until(() => harness.state === 'stopped', 'the account to stop')
  expect(harness.account.status().reason).toBe('not_owner')
  await sandbox.until(() => !sandbox.isOnline(phone), 3_000, 'the socket to go')
  expect(sandbox.inbox(BOB).some(({ message }) => message.extendedTextMessage?.text === 'not mine any more')).toBe(
    false,
  )
}, 20_000)

test('401 while working: logged out, credentials gone, and a new link is possible', async () => {
  const { phone, store, harness } = await linked()
  sandbox.act(phone, { action: 'unlink' })
  await harness.until(() => harness.state === 'logged_out', 'logged_out')
  expect(harness.account.status()).toMatchObject({ reason: 'logged_out' })
  expect(harness.account.status().advice).toInclude('again')
  expect(store.creds).toBeNull()
  expect(store.keys.size).toBe(0)
  await harness.work(sandbox, phone)
}, 20_000)

test('logout tells the phone and forgets the credentials', async () => {
  const { phone, store, harness } = await linked()
  await harness.account.logout()
  expect(harness.account.status()).toMatchObject({ state: 'logged_out', reason: 'requested' })
  expect(store.creds).toBeNull()
  await sandbox.until(
    () => sandbox.putAccount({ phone }).companions.size === 0,
    3_000,
    'the phone to have no linked device',
  )
}, 20_000)

test.each(['402', '403', '406'])(
  'a login refused with %s blocks the account and keeps its link',
  async (code) => {
    const { phone, store, harness } = await linked()
    sandbox.addFault({ kind: 'refuse_login', code })
    sandbox.act(phone, { action: 'cut' })
    await harness.until(() => harness.state === 'blocked', 'blocked')
    expect(harness.account.status().reason).toBe(`refused_${code}`)
    expect(store.creds).not.toBeNull()
  },
  20_000,
)

test('440: the owner comes back, a process that lost the account stops', async () => {
  const phone = nextPhone()
  let owner = true
  const harness = make(new MapStore(), { isOwner: async () => owner })
  await harness.work(sandbox, phone)
  sandbox.act(phone, { action: 'replace' })
  await harness.until(() => harness.statuses.some(({ reason }) => reason === 'replaced'), 'the replacement')
  await harness.until(() => harness.state === 'working', 'its return')
  owner = false
  sandbox.act(phone, { action: 'replace' })
  await harness.until(() => harness.state === 'stopped', 'its stop')
  expect(harness.account.status().reason).toBe('not_owner')
}, 20_000)

test.each([
  ['cut', 'connection_closed'],
  ['503', 'unavailable'],
  ['500', 'bad_session'],
] as const)(
  '%s: it reconnects by itself',
  async (trouble, reason) => {
    const phone = nextPhone()
    const harness = make()
    await harness.work(sandbox, phone)
    sandbox.act(phone, trouble === 'cut' ? { action: 'cut' } : { action: 'stream_error', code: trouble })
    await harness.until(() => harness.statuses.some((status) => status.reason === reason), reason)
    await harness.until(() => harness.state === 'working', 'its return')
  },
  20_000,
)

test('515 in the middle of work: it reconnects at once', async () => {
  const { phone, harness } = await linked({ timing: { reconnect: { minMs: 60_000, maxMs: 60_000 } } })
  const before = harness.statuses.length
  sandbox.act(phone, { action: 'stream_error', code: '515' })
  await harness.until(() => harness.statuses.length > before && harness.state === 'working', 'its return', 3_000)
}, 20_000)

test('a refused upgrade is noticed at once and tried again; after five it says failed and goes on', async () => {
  const phone = nextPhone()
  const harness = make()
  await harness.work(sandbox, phone)
  sandbox.addFault({ kind: 'refuse_upgrade', status: 405, times: 6 })
  sandbox.act(phone, { action: 'cut' })
  await harness.until(() => harness.state === 'failed', 'failed', 5_000)
  expect(harness.account.status().advice).not.toBeNull()
  await harness.until(() => harness.state === 'working', 'its return', 5_000)
}, 20_000)

test('a frozen peer is noticed by the watchdog and replaced', async () => {
  const { phone, harness } = await linked({ timing: { livenessMs: 900 } })
  const frozenAt = Date.now()
  sandbox.act(phone, { action: 'freeze' })
  await harness.until(() => harness.statuses.some(({ reason }) => reason === 'connection_lost'), 'the notice', 4_000)
  expect(Date.now() - frozenAt).toBeLessThan(2_000)
  await harness.until(() => harness.state === 'working', 'its return')
}, 20_000)

test('a server that answers nothing ends the attempt after the connect timeout', async () => {
  const silent = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response('no', { status: 400 })),
    websocket: { message() {} },
  })
  const harness = make(new MapStore(), { websocketUrl: `ws://127.0.0.1:${silent.port}/`, timing: { connectMs: 300 } })
  await harness.account.start()
  await harness.until(() => harness.state === 'failed', 'the timeout', 4_000)
  expect(harness.account.status().reason).toBe('link_expired')
  await silent.stop(true)
}, 10_000)

test('pauses between connections grow even when each one opens, until one of them lasts', async () => {
  const { phone, harness } = await linked({ timing: { reconnect: { minMs: 40, maxMs: 60_000 }, stableMs: 1_000 } })
  const cutAndReadPause = async () => {
    const first = harness.statuses.length
    sandbox.act(phone, { action: 'cut' })
    const { retryAt, since } = await harness.until(
      () => harness.statuses.slice(first).find((status) => status.retryAt !== null),
      'the pause',
    )
    await harness.until(() => harness.state === 'working', 'its return')
    return (retryAt?.getTime() ?? 0) - since.getTime()
  }
  const pauses: number[] = []
  for (let count = 0; count < 5; count++) pauses.push(await cutAndReadPause())
  // Half of a pause is jitter.
  for (const [index, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(20 * 2 ** index - 5)
  await quietFor(1_100, 'the connection counts as stable after a second')
  expect(await cutAndReadPause()).toBeLessThanOrEqual(60)
}, 30_000)

test('a message that the store refuses is brought again with growing pauses, and stands when the store takes it', async () => {
  const { phone, harness } = await linked({ timing: { reconnect: { minMs: 40, maxMs: 60_000 } } })
  const attempts: number[] = []
  harness.beforeStore = () => {
    attempts.push(Date.now())
    throw new Error('the database refuses this row')
  }
  const id = await sandbox.send({ from: '+972509998877', to: phone }, { kind: 'text', text: 'poison' })
  await harness.until(() => attempts.length >= 5, 'five attempts', 20_000)
  const gaps = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0))
  for (const [index, gap] of gaps.entries()) expect(gap).toBeGreaterThanOrEqual(20 * 2 ** index - 5)
  harness.beforeStore = () => {}
  const event = await harness.until(() => harness.inbound.find((one) => one.id === id), 'the message', 20_000)
  expect(event.content).toEqual({ kind: 'text', text: 'poison' })
}, 40_000)
