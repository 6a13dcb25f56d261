import { afterAll, expect, test } from 'bun:test'
import { LIBSIGNAL_LINES, quietConsole } from '../../../src/lib/quiet-console.ts'
import { undoFailedTrials } from '../../../src/lib/signal-sessions.ts'
import { requireBytes, requireChild, requireUInt } from '../../../src/sandbox/whatsapp/nodes.ts'
import { type KeyBundle, PhoneDevice } from '../../../src/sandbox/whatsapp/phone-device.ts'

quietConsole(LIBSIGNAL_LINES)
const A = '111111@s.whatsapp.net'
const B = '222222@s.whatsapp.net'
const devices: PhoneDevice[] = []
afterAll(() => {
  for (const device of devices) device.close()
})

function make(snapshot?: unknown): PhoneDevice {
  const device = new PhoneDevice(snapshot)
  devices.push(device)
  return device
}

function bundleOf(device: PhoneDevice): KeyBundle {
  const node = device.keyNode('x@s.whatsapp.net')
  const skey = requireChild(node, 'skey')
  const key = requireChild(node, 'key')
  return {
    registrationId: device.registrationId,
    identity: requireBytes(node, 'identity'),
    signedPreKey: {
      id: requireUInt(skey, 'id', 3),
      publicKey: requireBytes(skey, 'value'),
      signature: requireBytes(skey, 'signature'),
    },
    preKey: { id: requireUInt(key, 'id', 3), publicKey: requireBytes(key, 'value') },
  }
}

test('two sides that open a session at the same time understand each other for good', async () => {
  const a = make()
  const b = make()
  const fromA = (text: string) => a.encrypt(B, () => bundleOf(b), { conversation: text })
  const fromB = (text: string) => b.encrypt(A, () => bundleOf(a), { conversation: text })
  const crossing = [await fromA('a1'), await fromB('b1')] as const
  expect((await b.decrypt(A, crossing[0])).conversation).toBe('a1')
  expect((await a.decrypt(B, crossing[1])).conversation).toBe('b1')
  // Each now writes on the session that the other one opened, and reads on its own.
  for (let round = 2; round < 8; round++) {
    expect((await b.decrypt(A, await fromA(`a${round}`))).conversation).toBe(`a${round}`)
    expect((await a.decrypt(B, await fromB(`b${round}`))).conversation).toBe(`b${round}`)
  }
})

test('a phone goes on where its snapshot was taken', async () => {
  const a = make()
  const b = make()
  expect((await b.decrypt(A, await a.encrypt(B, () => bundleOf(b), { conversation: 'one' }))).conversation).toBe('one')
  const again = make(JSON.parse(JSON.stringify(b)))
  const reply = await again.encrypt(A, () => bundleOf(a), { conversation: 'two' })
  expect(reply.type).toBe('msg')
  expect((await a.decrypt(B, reply)).conversation).toBe('two')
})

test('a key is good for one message only', async () => {
  const a = make()
  const b = make()
  const message = await a.encrypt(B, () => bundleOf(b), { conversation: 'once' })
  await b.decrypt(A, message)
  await expect(b.decrypt(A, message)).rejects.toThrow('Key used already')
})

test('a record of an unknown shape is left as it is', () => {
  const record = { version: 'v2', sessions: {} }
  expect(undoFailedTrials({ _sessions: 5 }, record)).toBe(record)
  expect(undoFailedTrials(undefined, record)).toBe(record)
})
