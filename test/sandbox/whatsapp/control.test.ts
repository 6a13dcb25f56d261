import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WhatsAppSandbox } from '../../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../../src/sandbox/whatsapp/server.ts'
import { Client, MemoryAuth, reopen, until } from './client.ts'

const ME = '+972501111111'
const BOB = '+972502222222'
const folder = mkdtempSync(join(tmpdir(), 'sandbox-whatsapp-'))
const stateFile = join(folder, 'whatsapp.json')
const auth = new MemoryAuth()
let sandbox: WhatsAppSandbox
let client: Client

async function post(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const init = { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(`${sandbox.controlUrl}/${path}`, init)
  return { status: response.status, body: await response.json() }
}
async function get(path: string): Promise<unknown> {
  return (await fetch(`${sandbox.controlUrl}/${path}`)).json()
}

beforeAll(async () => {
  sandbox = await startWhatsAppSandbox({ port: 0, stateFile })
  const first = new Client(sandbox.wsUrl, auth)
  const qr = await until(() => first.qr(), 'a QR code')
  expect(await post('scan', { qr, phone: ME })).toEqual({ status: 200, body: { deviceId: 1 } })
  await until(() => first.closeCode() === 515, 'the restart after pairing')
  client = await reopen(sandbox, auth)
}, 30_000)
afterAll(async () => {
  await client.end()
  await sandbox.close()
  rmSync(folder, { recursive: true })
})

test('another process can play a contact and see what it received', async () => {
  expect(await post('accounts', { phone: BOB, name: 'Bob', reads: true })).toMatchObject({
    body: { phone: BOB, name: 'Bob' },
  })
  const { body } = await post('send', { from: BOB, to: ME, content: { kind: 'text', text: 'hello' } })
  const id = String(body.id)
  const message = await until(() => client.received(id), 'the text')
  await client.sock.sendMessage(
    '972502222222@s.whatsapp.net',
    { text: 'hi Bob' },
    { messageId: 'CTRL01', quoted: message },
  )
  await until(() => client.status('CTRL01') === 4, 'read')
  expect(await get(`inbox?phone=${encodeURIComponent(BOB)}`)).toMatchObject([
    { id: 'CTRL01', from: ME, to: BOB, kind: 'text', text: 'hi Bob', replyTo: id, attempt: 1 },
  ])
  expect(await get('accounts')).toContainEqual(
    expect.objectContaining({ phone: ME, devices: [expect.objectContaining({ online: true })] }),
  )
})

test('bad requests are refused with what is wrong, and change nothing', async () => {
  const { status, body } = await post('send', { from: 'no number', to: ME, content: { kind: 'text', text: 'x' } })
  expect(status).toBe(400)
  expect(body).toMatchObject({ error: { code: 'invalid' } })
  expect((await post('send', { from: BOB, to: ME, content: { kind: 'smell' } })).status).toBe(400)
  expect((await post('scan', { qr: 'not,a,known,code', phone: ME })).status).toBe(404)
  expect((await post('faults', { kind: 'ack_error', code: 'x' })).status).toBe(400)
  expect((await post('nothing', {})).status).toBe(404)
  const noJson = await fetch(`${sandbox.controlUrl}/faults`, { method: 'POST', body: '{' })
  expect(noJson.status).toBe(400)
  expect(await get('faults')).toEqual([])
})

test('faults are set, listed, and cleared', async () => {
  await post('faults', { kind: 'drop_ack', to: BOB, times: 3 })
  expect(await get('faults')).toEqual([{ kind: 'drop_ack', to: '972502222222', times: 3 }])
  await fetch(`${sandbox.controlUrl}/faults`, { method: 'DELETE' })
  expect(await get('faults')).toEqual([])
})

test('a linked device stays linked when the sandbox restarts, and gets what waited for it', async () => {
  await client.end()
  await until(() => !sandbox.isOnline(ME), 'the device to be away')
  const id = await sandbox.send({ from: BOB, to: ME }, { kind: 'text', text: 'before the restart' })
  await sandbox.close()
  expect(statSync(stateFile).mode & 0o777).toBe(0o600)
  sandbox = await startWhatsAppSandbox({ port: 0, stateFile })
  client = await reopen(sandbox, auth)
  await until(() => client.received(id)?.message?.conversation === 'before the restart', 'the stored text')
  const later = await sandbox.send({ from: BOB, to: ME }, { kind: 'text', text: 'after the restart' })
  await until(() => client.received(later), 'a text on the old session')
}, 20_000)
