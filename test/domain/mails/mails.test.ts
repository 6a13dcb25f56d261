import { beforeAll, expect, test } from 'bun:test'
import {
  cancelMails,
  enqueueMail,
  mailStateOf,
  queueMail,
  requeueMails,
  sendMail,
} from '../../../src/domain/mails/index.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createSecretBox, deriveKey } from '../../../src/lib/secret-box.ts'
import { createSmtpMailer } from '../../../src/providers/mail/smtp.ts'
import { startDomain } from '../../support/call-domain.ts'
import { startMailServer } from '../../support/mail-server.ts'

const box = createSecretBox(deriveKey('a secret of the tests', 'mails'))
const content = { to: 'dana@example.com', subject: 'Hello', text: 'https://link.example/1', html: '<p>Hello</p>' }

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

async function newMail(expiresAt = new Date(Date.now() + 3_600_000)) {
  const subjectId = newId()
  const id = await domain.ctx.db.transaction((tx) =>
    queueMail(tx, box, { kind: 'invitation', subjectId, expiresAt, content }),
  )
  return { id, subjectId }
}

test('a mail is sealed while it waits, sent once, and its content is gone afterwards', async () => {
  const server = await startMailServer()
  const mailer = createSmtpMailer({ url: server.url, from: 'AgentLocator <office@example.com>' })
  const { id, subjectId } = await newMail()
  const [waiting] = await domain.sql`select sealed from mails where id = ${id}`
  expect(String(waiting?.sealed)).not.toContain('link.example')
  await enqueueMail(domain.ctx, id)
  expect(domain.jobs.at(-1)).toEqual({ name: 'mail.send', payload: { mailId: id } })
  expect(await sendMail(domain.ctx, id, { mailer, box })).toBe('sent')
  expect(await sendMail(domain.ctx, id, { mailer, box })).toBe('done')
  expect(server.received.map((mail) => mail.to)).toEqual([['dana@example.com']])
  expect(await mailStateOf(domain.ctx, subjectId)).toBe('sent')
  const [sent] = await domain.sql`select sealed from mails where id = ${id}`
  expect(sent?.sealed).toBe('')
  await server.stop()
})

test('a mail that several runs send at once is sent once; a run that died is replaced after five minutes', async () => {
  const server = await startMailServer()
  const smtp = createSmtpMailer({ url: server.url, from: 'office@example.com' })
  const { id, subjectId } = await newMail()
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const slow = {
    ...smtp,
    async send(mail: Parameters<typeof smtp.send>[0]) {
      reached.resolve()
      await released.promise
      await smtp.send(mail)
    },
  }
  const first = sendMail(domain.ctx, id, { mailer: slow, box })
  await reached.promise
  expect(await Promise.all([1, 2].map(() => sendMail(domain.ctx, id, { mailer: smtp, box })))).toEqual(['done', 'done'])
  expect(await requeueMails(domain.ctx)).toBe(0)
  expect(server.received).toEqual([])
  released.resolve()
  expect(await first).toBe('sent')
  expect(server.received).toHaveLength(1)
  expect(await mailStateOf(domain.ctx, subjectId)).toBe('sent')

  const left = await newMail()
  await domain.sql`update mails set attempts = 1, updated_at = now() - interval '6 minutes' where id = ${left.id}`
  expect(await requeueMails(domain.ctx)).toBe(1)
  expect(domain.jobs.at(-1)).toEqual({ name: 'mail.send', payload: { mailId: left.id } })
  const runs = await Promise.all([1, 2, 3].map(() => sendMail(domain.ctx, left.id, { mailer: smtp, box })))
  expect(runs.sort()).toEqual(['done', 'done', 'sent'])
  expect(server.received).toHaveLength(2)
  await server.stop()
})

test('a mail that is refused for now is tried again, one that is refused for good is not', async () => {
  const server = await startMailServer()
  const mailer = createSmtpMailer({ url: server.url, from: 'office@example.com' })
  const later = await newMail()
  server.recipientStatus = 451
  await expect(sendMail(domain.ctx, later.id, { mailer, box })).rejects.toBeInstanceOf(AppError)
  expect(await mailStateOf(domain.ctx, later.subjectId)).toBe('pending')
  server.recipientStatus = 550
  expect(await sendMail(domain.ctx, later.id, { mailer, box })).toBe('failed')
  expect(await mailStateOf(domain.ctx, later.subjectId)).toBe('failed')
  expect(server.received).toEqual([])
  await server.stop()
})

test('a mail without a server waits; one that is canceled or out of date is not sent', async () => {
  const waiting = await newMail()
  await expect(sendMail(domain.ctx, waiting.id, { mailer: null, box })).rejects.toMatchObject({
    code: 'mail_unavailable',
  })
  expect(await mailStateOf(domain.ctx, waiting.subjectId)).toBe('pending')
  await domain.ctx.db.transaction((tx) => cancelMails(tx, waiting.subjectId))
  expect(await sendMail(domain.ctx, waiting.id, { mailer: null, box })).toBe('done')
  const late = await newMail(new Date(Date.now() - 1_000))
  expect(await sendMail(domain.ctx, late.id, { mailer: null, box })).toBe('failed')
})

test('a mail whose job was lost is queued again after two minutes', async () => {
  const { id } = await newMail()
  expect(await requeueMails(domain.ctx)).toBe(0)
  await domain.sql`update mails set updated_at = now() - interval '3 minutes' where id = ${id}`
  expect(await requeueMails(domain.ctx)).toBe(1)
  expect(domain.jobs.at(-1)).toEqual({ name: 'mail.send', payload: { mailId: id } })
})
