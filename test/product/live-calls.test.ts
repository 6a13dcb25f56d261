import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { TRPCClientError } from '@trpc/client'
import { createListenToken } from '../../src/domain/calls/index.ts'
import { eventually, type Product, startProduct } from '../support/product.ts'
import { speak } from '../support/speech.ts'

/** Two web servers: the call lives in the second, members ask the first. */
let product: Product

beforeAll(async () => {
  product = await startProduct({
    ...{ workers: ['crm', 'recordings'], queue: 'postgres', webCount: 2 },
    env: { WORKER_NICENESS: '5' },
  })
}, 120_000)
afterAll(() => product.stop(), 60_000)

/** A call that stays on the line of the second server until it is ended. */
async function callSecond() {
  const base = product.url(1)
  product.carrier.settings.connectRules = [{ publicBaseUrl: product.publicBaseUrl, connectBaseUrl: base }]
  return await product.call({
    index: 1,
    script: [{ say: await speak('My name is Dana Levi', 'en') }, { wait: 20_000 }],
    dial: { outcome: 'answered', talkMs: 200 },
    maxSeconds: 30,
  })
}

test.skipIf(process.platform !== 'linux')('the servers go before the workers: each of their threads', () => {
  // proc(5): field 19 is the niceness; the name before them may hold spaces.
  const nicenessOf = ({ pid }: { pid: number }) =>
    readdirSync(`/proc/${pid}/task`).map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[16]),
    )
  const [first, ...others] = product.web.flatMap(nicenessOf)
  expect(others.every((each) => each === first)).toBe(true)
  for (const worker of product.workers) expect(new Set(nicenessOf(worker))).toEqual(new Set([Math.max(5, first ?? 0)]))
})

const live = async (index = 0) => (await product.trpc(product.apiKey, index).calls.live.query()).items
const theCall = () => eventually(async () => (await live())[0], 'the live call')

const refusalOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: unknown) => (error instanceof TRPCClientError ? String(error.data?.error?.code) : String(error)),
  )

/** A listener at the n-th server. */
function openListener(token: string, index = 0) {
  const socket = new WebSocket(`${product.url(index).replace('http', 'ws')}/ws/listen`)
  socket.binaryType = 'arraybuffer'
  const parts: Uint8Array[] = []
  const { promise: closed, resolve } = Promise.withResolvers<{ code: number; reason: string }>()
  socket.onopen = () => socket.send(token)
  socket.onmessage = ({ data }) => parts.push(new Uint8Array(data))
  socket.onclose = ({ code, reason }) => resolve({ code, reason })
  const loudMs = (side: 0 | 1) =>
    parts.reduce((sum, part) => {
      const half = part.subarray((part.length / 2) * side, (part.length / 2) * (side + 1))
      return sum + half.filter((byte) => byte !== 0xff && byte !== 0x7f).length / 8
    }, 0)
  return { parts, closed, loudMs, close: () => socket.close() }
}

const audited = async (action: string) =>
  (await product.sql`select actor_kind, entity_id, data from audit_log where action = ${action}`).map((row) => ({
    ...row,
  }))

test('a call of another server is listed, heard and ended, each in the audit log', async () => {
  const calling = callSecond()
  const call = await theCall()
  expect(call).toMatchObject({ from: '+972501234567', to: '+97233760000' })
  const state = await eventually(async () => (await live())[0]?.state, 'its state')
  expect(state).toMatchObject({ engine: 'embedded', followsInstructions: false })
  expect(await refusalOf(product.trpc().calls.whisper.mutate({ id: call.id, text: 'Ask for the address.' }))).toBe(
    'follows_script',
  )
  const { token, path } = await product.trpc().calls.listen.mutate({ id: call.id })
  expect(path).toBe('/ws/listen')
  const far = openListener(token)
  const near = openListener((await product.trpc(product.apiKey, 1).calls.listen.mutate({ id: call.id })).token, 1)
  await eventually(() => far.loudMs(0) > 800 && near.loudMs(0) > 800, 'the caller’s voice')
  await eventually(() => far.loudMs(1) > 400 && near.loudMs(1) > 400, 'the agent’s voice')
  // A token opens one socket.
  expect((await openListener(token).closed).code).toBe(1008)
  await eventually(async () => (await live())[0]?.lastTurns.some(({ role }) => role === 'caller'), 'the last words')
  await product.trpc().calls.end.mutate({ id: call.callSid })
  const report = await calling
  expect(report.ended.by).not.toBe('caller')
  expect([await far.closed, await near.closed].map(({ code, reason }) => `${code} ${reason}`)).toEqual([
    '1000 call_ended',
    '1000 call_ended',
  ])
  await eventually(async () => (await live()).length === 0, 'the empty list')
  expect((await product.trpc().calls.get.query({ id: call.id })).endReason).toBe('ended_by_member')
  expect(await refusalOf(product.trpc().calls.end.mutate({ id: call.id }))).toBe('call_not_live')
  const row = { actor_kind: 'api_key', entity_id: call.id, data: null }
  expect(await audited('call.listen')).toEqual([row, row])
  expect(await audited('call.whisper')).toEqual([row])
  expect(await audited('call.hang_up')).toEqual([row])
}, 60_000)

test('a call of another server is transferred to the number of a member', async () => {
  const calling = callSecond()
  const call = await theCall()
  expect(await refusalOf(product.trpc().calls.transfer.mutate({ id: call.id, number: '12' }))).toBe('bad_phone')
  expect(await refusalOf(product.trpc().calls.transfer.mutate({ id: call.id }))).toBe('no_transfer_number')
  await product.trpc().calls.transfer.mutate({ id: call.id, number: '052-1234567' })
  const report = await calling
  expect(report.documents.find(({ source }) => source === 'rest')?.body).toContain('+972521234567')
  expect((await product.trpc().calls.get.query({ id: call.id })).endReason).toBe('transferred')
}, 60_000)

test('a token that is forged, of another business’s key, or whose bearer lost the right hears nothing', async () => {
  const calling = callSecond()
  const call = await theCall()
  const read = await product.trpc().keys.create.mutate({ name: 'reads', scope: 'read' })
  expect(await refusalOf(product.trpc(read.key).calls.listen.mutate({ id: call.id }))).toBe('scope_too_low')
  const own = await product.trpc().keys.create.mutate({ name: 'listens', scope: 'admin' })
  const { token } = await product.trpc(own.key).calls.listen.mutate({ id: call.id })
  const listener = openListener(token)
  await eventually(() => listener.parts.length > 0, 'the first part')
  await product.trpc().keys.revoke.mutate({ id: own.id })
  expect((await listener.closed).code).toBe(1008)
  const grant = { callId: call.id, businessId: product.businessId, actor: { kind: 'api_key', id: own.id } as const }
  const secret = product.env.SESSION_SECRET ?? ''
  const tokens = [
    'nothing',
    createListenToken('another secret', grant).token,
    createListenToken(secret, grant).token,
    createListenToken(secret, { ...grant, actor: { kind: 'user', id: 'unknown' } }).token,
    createListenToken(secret, grant, Date.now() - 60_000).token,
  ]
  for (const wrong of tokens) expect((await openListener(wrong).closed).code).toBe(1008)
  await product.trpc().calls.end.mutate({ id: call.id })
  await calling
}, 60_000)

test('the server of a call dies: its listeners are notified, and a command answers that it is silent', async () => {
  const calling = callSecond()
  const call = await theCall()
  const { token } = await product.trpc().calls.listen.mutate({ id: call.id })
  const listener = openListener(token)
  await eventually(() => listener.parts.length > 0, 'the first part')
  product.server(1).kill('SIGKILL')
  expect(await refusalOf(product.trpc().calls.end.mutate({ id: call.id }))).toBe('process_silent')
  expect((await listener.closed).code).toBe(1000)
  await calling
}, 60_000)
