import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { newId } from '../../../src/lib/ids.ts'
import type { OutboundMessage, WhatsAppSender } from '../../../src/providers/whatsapp/port.ts'
import { createTwilioWhatsApp } from '../../../src/providers/whatsapp/twilio.ts'
import { type Carrier, startCarrier } from '../../../src/sandbox/carrier/server.ts'
import type { WhatsAppSandbox } from '../../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../../src/sandbox/whatsapp/server.ts'
import { Harness, MapStore } from './baileys/harness.ts'

/** Controls of the vendor behind an adapter. */
type Stage = {
  sender: WhatsAppSender
  /** Our sender, as messages name it. */
  account: string
  /** Texts that a recipient got, in order. */
  textsOf(phone: string): (string | undefined)[]
  /** The vendor accepts the next message, and its answer is lost. */
  loseAnswer(phone: string): void
  /** The vendor reports later that it has the message. */
  remember(phone: string): void
  /** The vendor rejects the next message, permanently or temporarily. */
  refuse(phone: string, how: 'for good' | 'for now'): void
  disconnect(): Promise<void>
  close(): Promise<void>
}

const TWILIO_FROM = '+14155238886'

async function twilioStage(): Promise<Stage> {
  const carrier: Carrier = startCarrier({ port: 0, accountSid: `AC${'1'.repeat(32)}`, authToken: 'token-of-the-suite' })
  const url = `http://127.0.0.1:${carrier.port}`
  const sender = createTwilioWhatsApp({
    accountSid: carrier.accountSid,
    authToken: carrier.authToken,
    apiBaseUrl: url,
    statusCallbackUrl: 'http://127.0.0.1:9/status',
  })
  let open = true
  const close = async () => {
    if (open) await carrier.close()
    open = false
  }
  return {
    sender,
    account: TWILIO_FROM,
    textsOf: (phone) =>
      [...carrier.messages.values()].filter(({ to }) => to === `whatsapp:${phone}`).map(({ body }) => body),
    loseAnswer: () =>
      void carrier.faults.add({ operation: 'messages.create', times: 1, effect: { kind: 'response_lost' } }),
    remember: () => {},
    refuse: (_, how) =>
      void carrier.faults.add({
        operation: 'messages.create',
        times: 1,
        effect:
          how === 'for now'
            ? { kind: 'http_error', status: 429, code: 20429 }
            : { kind: 'http_error', status: 400, code: 63024 },
      }),
    disconnect: close,
    close,
  }
}

async function baileysStage(): Promise<Stage> {
  const sandbox: WhatsAppSandbox = await startWhatsAppSandbox({ port: 0 })
  const harness = new Harness(sandbox, new MapStore())
  await harness.work(sandbox, '+972501000077')
  return {
    sender: harness.account,
    account: 'acc-1',
    textsOf: (phone) =>
      sandbox.inbox(phone).map(({ message }) => message.conversation || message.extendedTextMessage?.text || ''),
    loseAnswer: (to) => {
      sandbox.putAccount({ phone: to, delivers: false })
      sandbox.addFault({ kind: 'drop_ack', to })
    },
    remember: (from) =>
      sandbox.confirm({
        from,
        to: '+972501000077',
        ids: sandbox.inbox(from).map(({ id }) => id),
        type: 'delivered',
      }),
    refuse: (to, how) => sandbox.addFault({ kind: 'ack_error', code: how === 'for now' ? '429' : '400', to }),
    disconnect: () => harness.account.stop(),
    async close() {
      await harness.account.stop()
      await sandbox.close()
    },
  }
}

for (const [name, open] of [
  ['twilio', twilioStage],
  ['baileys', baileysStage],
] as const)
  describe(`a WhatsApp sender: ${name}`, () => {
    let stage: Stage
    let last = 0
    beforeAll(async () => {
      stage = await open()
    })
    afterAll(() => stage.close())

    const message = (text: string): OutboundMessage => ({
      id: newId(),
      account: stage.account,
      to: `+97253${7_000_000 + ++last}`,
      text,
    })

    test('says which provider it is', () => {
      expect(stage.sender.provider).toBe(name)
    })

    test('a message that is taken is there once, under the id it answers', async () => {
      const asked = message('שלום')
      const outcome = await stage.sender.send(asked)
      expect(outcome).toMatchObject({ outcome: 'accepted', providerMessageId: expect.any(String) })
      expect(stage.textsOf(asked.to)).toEqual(['שלום'])
    })

    test('a message refused for good is rejected with the code, and is not there', async () => {
      const asked = message('never')
      stage.refuse(asked.to, 'for good')
      expect(await stage.sender.send(asked)).toMatchObject({
        outcome: 'rejected',
        code: name === 'twilio' ? '63024' : '400',
        message: expect.any(String),
      })
      expect(stage.textsOf(asked.to)).toEqual([])
    })

    test('a message refused for now may be sent again, and is there once then', async () => {
      const asked = message('later')
      stage.refuse(asked.to, 'for now')
      expect(await stage.sender.send(asked)).toMatchObject({ outcome: 'retry' })
      expect(await stage.sender.send(asked)).toMatchObject({ outcome: 'accepted' })
      expect(stage.textsOf(asked.to)).toEqual(['later'])
    })

    test('a lost answer is unknown, never accepted and never retry; asking finds what was taken', async () => {
      const asked = message('doubt')
      stage.loseAnswer(asked.to)
      const since = new Date()
      expect(await stage.sender.send(asked)).toMatchObject({ outcome: 'unknown' })
      stage.remember(asked.to)
      const found = await stage.sender.reconcile({ ...asked, since, otherIds: [] })
      expect(found).toMatchObject({ outcome: 'accepted', providerMessageId: expect.any(String) })
      expect(stage.textsOf(asked.to)).toEqual(['doubt'])
    })

    test('a message that was never sent is never found', async () => {
      const found = await stage.sender.reconcile({ ...message('ghost'), since: new Date(), otherIds: [] })
      expect(['absent', 'undecided']).toContain(found.outcome)
    })

    test('without a connection a message is never accepted or rejected; soon it is certain that nothing is sent', async () => {
      await stage.disconnect()
      // A connection that was open may break with the first message on it.
      const first = await stage.sender.send(message('offline'))
      expect(['retry', 'unknown']).toContain(first.outcome)
      expect(await stage.sender.send(message('still offline'))).toMatchObject({ outcome: 'retry' })
    })
  })
