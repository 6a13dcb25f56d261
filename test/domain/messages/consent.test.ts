import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { blockBusiness } from '../../../src/domain/businesses/index.ts'
import { readConsentWord } from '../../../src/domain/contacts/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { receiveMessage, requestMessage } from '../../../src/domain/messages/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

let domain: TestDomain
let ctx: BusinessContext
const phone = '+972501230001'
const TWILIO = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
})
afterAll(() => domain.close())

const say = (body: string, how: { key?: string; own?: boolean; history?: boolean } = {}) =>
  receiveMessage(
    ctx,
    {
      provider: 'twilio',
      businessId: ctx.businessId,
      dedupeKey: how.key ?? newId(),
      providerMessageId: how.key ?? newId(),
      kind: 'text',
      from: { phone },
      body,
      media: [],
      at: new Date().toISOString(),
    },
    how,
  )
const optedOut = async () =>
  (await domain.handle.sql`select opted_out_at from contacts where phone = ${phone}`)[0]?.opted_out_at !== null
const sent = async () =>
  (await domain.handle.sql`select body, status from messages where direction = 'out' order by id`).map(
    (row) => row.body,
  )
const audited = async () =>
  (await domain.handle.sql`select action from audit_log where action like 'contact.opt%' order by id`).map(
    (row) => row.action,
  )

describe('words of consent', () => {
  test.each(['הסר', ' הסירו! ', 'הָסֵר', 'תסירו אותי', 'STOP', 'Stop.', 'unsubscribe', 'opt-out', 'עצור'])(
    '%p ends it',
    (word) => {
      expect(readConsentWord(word)?.optedOut).toBe(true)
    },
  )
  test.each(['התחל', 'START', 'unstop'])('%p renews it', (word) => {
    expect(readConsentWord(word)?.optedOut).toBe(false)
  })
  test.each([
    'cancel',
    'אפשר להסיר את התמונה?',
    'stop by tomorrow at 9',
    'please start without me',
    '',
    '👍',
    'הסר'.repeat(30),
  ])('%p is a message like any other', (text) => {
    expect(readConsentWord(text)).toBeNull()
  })
})

test('who says stop is confirmed once, written to no more, and again after start', async () => {
  await say('שלום')
  const before = domain.queued.length
  const key = newId()
  await Promise.all([say('הסר', { key }), say('הסר', { key })])
  await say('הסר')
  expect(await optedOut()).toBe(true)
  expect(await audited()).toEqual(['contact.opt_out'])
  expect(await sent()).toEqual(['הוסרת: Acme לא תשלח לך עוד הודעות. כדי לקבל אותן שוב, אפשר להשיב "התחל".'])
  expect(domain.queued.slice(before).map((job) => job.name)).toEqual(['whatsapp.send'])

  const ask = () => requestMessage(ctx, { to: phone, text: 'A sale!' }, TWILIO)
  await expect(ask()).rejects.toMatchObject({ code: 'contact_opted_out' })
  // What they write besides is no renewal.
  await say('עוד שאלה')
  await expect(ask()).rejects.toMatchObject({ code: 'contact_opted_out' })

  await say('START')
  expect(await optedOut()).toBe(false)
  expect(await audited()).toEqual(['contact.opt_out', 'contact.opt_in'])
  expect((await sent()).at(-1)).toBe('You get messages from Acme again. Reply STOP to end them.')
  expect((await ask()).status).toBe('queued')
  const count = (await sent()).length
  await say('start')
  expect((await sent()).length).toBe(count)
})

test('words of the business’s own phone and of the history change nothing; a blocked business confirms nothing', async () => {
  await say('stop', { own: true })
  await say('stop', { history: true })
  expect(await optedOut()).toBe(false)
  await blockBusiness(ctx, 'unpaid')
  const count = (await sent()).length
  const sale = async () => (await domain.handle.sql`select status, error_code from messages where body = 'A sale!'`)[0]
  expect(await sale()).toMatchObject({ status: 'queued' })
  await say('stop')
  // What waited is not sent any more.
  expect(await sale()).toMatchObject({ status: 'failed', error_code: 'contact_opted_out' })
  expect([await optedOut(), (await sent()).length]).toEqual([true, count])
})
