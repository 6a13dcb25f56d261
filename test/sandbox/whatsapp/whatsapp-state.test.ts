import { expect, test } from 'bun:test'
import { createLogger } from '../../../src/lib/log.ts'
import { WhatsAppState } from '../../../src/sandbox/whatsapp/whatsapp-state.ts'

const PHONE = '972501111111'

function snapshotOf(change: (account: Record<string, unknown>) => void): string {
  const state = new WhatsAppState(createLogger('silent'))
  state.account(PHONE).behavior = { delivers: true, reads: true, autoReply: 'hello' }
  const snapshot: { accounts: Record<string, unknown>[] } = JSON.parse(state.snapshot())
  snapshot.accounts.forEach(change)
  state.close()
  return JSON.stringify(snapshot)
}

function restoredFrom(snapshot: string) {
  const state = new WhatsAppState(createLogger('silent'))
  state.restore(snapshot)
  const { behavior } = state.account(PHONE)
  state.close()
  return behavior
}

test('a snapshot of this version keeps how an account behaves', () => {
  expect(restoredFrom(snapshotOf(() => {}))).toEqual({ delivers: true, reads: true, autoReply: 'hello' })
})

test('one of an earlier version, which called it manners, does too', () => {
  const earlier = snapshotOf((account) => {
    account.manners = account.behavior
    delete account.behavior
  })
  expect(restoredFrom(earlier)).toEqual({ delivers: true, reads: true, autoReply: 'hello' })
})
