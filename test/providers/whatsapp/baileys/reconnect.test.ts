import { expect, test } from 'bun:test'
import { type CloseFacts, decideAfterClose } from '../../../../src/providers/whatsapp/baileys/reconnect.ts'

const backoff = { minMs: 1_000, maxMs: 60_000 }
const facts = (change: Partial<CloseFacts>): CloseFacts => ({
  code: 428,
  linked: true,
  owner: true,
  failures: 0,
  recentReplacements: 0,
  recentRestarts: 1,
  ...change,
})
const decide = (change: Partial<CloseFacts>, random = 1) => decideAfterClose(facts(change), backoff, random)

test('after pairing the connection is made again at once', () => {
  expect(decide({ code: 515, failures: 9 })).toMatchObject({ action: 'reconnect', delayMs: 0 })
})

test('a server that asks for a restart again and again is not obeyed at once for ever', () => {
  expect(decide({ code: 515, recentRestarts: 3 })).toMatchObject({ action: 'reconnect', delayMs: 1_000 })
  expect(decide({ code: 515, recentRestarts: 9, failures: 6 })).toMatchObject({ delayMs: 60_000 })
})

test.each([408, 428, 500, 503, 405, 0, 999])('%d: comes back with growing, jittered pauses', (code) => {
  expect(decide({ code })).toMatchObject({ action: 'reconnect', delayMs: 1_000 })
  expect(decide({ code }, 0)).toMatchObject({ delayMs: 500 })
  expect(decide({ code, failures: 3 })).toMatchObject({ delayMs: 8_000 })
  expect(decide({ code, failures: 1_000 })).toMatchObject({ delayMs: 60_000 })
})

test('401 forgets the credentials and asks for a new link', () => {
  expect(decide({ code: 401 })).toMatchObject({ action: 'stop', state: 'logged_out', clearAuth: true })
})

test.each([402, 403, 406])('%d blocks the account and keeps its credentials', (code) => {
  expect(decide({ code })).toMatchObject({ action: 'stop', state: 'blocked', clearAuth: false })
})

test('440 stops who is not the owner; the owner comes back, with a long pause after five in 30 s', () => {
  expect(decide({ code: 440, owner: false })).toMatchObject({ action: 'stop', state: 'stopped', clearAuth: false })
  expect(decide({ code: 440, recentReplacements: 4 })).toMatchObject({ action: 'reconnect', delayMs: 1_000 })
  expect(decide({ code: 440, recentReplacements: 5 })).toMatchObject({ action: 'reconnect', delayMs: 30_000 })
})

test('an unscanned QR code ends the attempt; a linked account goes on', () => {
  expect(decide({ code: 408, linked: false })).toMatchObject({
    action: 'stop',
    state: 'failed',
    reason: 'link_expired',
  })
})
