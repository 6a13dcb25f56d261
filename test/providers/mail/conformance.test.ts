import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import type { OutboundMail } from '../../../src/providers/mail/port.ts'
import { createSmtpMailer } from '../../../src/providers/mail/smtp.ts'
import { type MailServer, partsOf, startMailServer } from '../../support/mail-server.ts'

const mail: OutboundMail = {
  id: 'mail-1',
  to: 'dana@example.com',
  subject: 'Ein Anruf – שיחה',
  text: 'Dana called.',
  html: '<p>Dana <b>called</b>.</p>',
}
const FROM = 'AgentLocator <office@example.com>'
let server: MailServer
let guarded: MailServer

beforeAll(async () => {
  server = await startMailServer()
  guarded = await startMailServer({ user: 'office', pass: 'right' })
})
beforeEach(() => {
  server.recipientStatus = 250
  server.received.length = 0
})
afterAll(async () => {
  await server.stop()
  await guarded.stop()
})

const failureOf = (work: Promise<unknown>) => work.then(() => null).catch((error: unknown) => error)

test('a mail arrives as it was written, with the sender of the settings', async () => {
  await createSmtpMailer({ url: server.url, from: FROM }).send(mail)
  const [received] = server.received
  expect(received).toMatchObject({ from: 'office@example.com', to: ['dana@example.com'] })
  const { headers, text, html } = partsOf(received?.raw ?? '')
  expect(headers).toContain('Auto-Submitted: auto-generated')
  expect(text.trim()).toBe(mail.text)
  expect(html.trim()).toBe(mail.html)
})

test('every attempt at one mail has the same message id', async () => {
  const mailer = createSmtpMailer({ url: server.url, from: FROM })
  await mailer.send(mail)
  await mailer.send(mail)
  const ids = server.received.map(({ raw }) => /^Message-ID: (.+)\r$/im.exec(raw)?.[1])
  expect(ids).toEqual(['<mail-1@example.com>', '<mail-1@example.com>'])
})

test('a permanent refusal is invalid, a temporary one unavailable, and neither quotes the recipient', async () => {
  const mailer = createSmtpMailer({ url: server.url, from: FROM })
  server.recipientStatus = 550
  const permanent = await failureOf(mailer.send(mail))
  expect(permanent).toMatchObject({ kind: 'invalid', code: 'mail_refused' })
  expect(String(permanent)).not.toContain('dana')
  server.recipientStatus = 451
  expect(await failureOf(mailer.send(mail))).toMatchObject({ kind: 'unavailable', code: 'mail_unavailable' })
  expect(server.received).toEqual([])
})

test('wrong credentials and a missing server are unavailable, found by the check', async () => {
  const right = createSmtpMailer({ url: guarded.url, from: FROM })
  await right.check()
  const wrong = createSmtpMailer({ url: guarded.url.replace('right', 'wrong'), from: FROM })
  const missing = createSmtpMailer({ url: 'smtp://127.0.0.1:9', from: FROM, connectMs: 1_000 })
  for (const mailer of [wrong, missing]) {
    expect(await failureOf(mailer.check())).toMatchObject({ kind: 'unavailable', code: 'mail_unavailable' })
    expect(await failureOf(mailer.send(mail))).toMatchObject({ kind: 'unavailable', code: 'mail_unavailable' })
  }
  expect(guarded.received).toEqual([])
})
