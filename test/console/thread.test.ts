import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { type BusinessContext, within } from '../../src/domain/context.ts'
import { changeMessage, describeContent, receiveMessage } from '../../src/domain/messages/index.ts'
import { newId } from '../../src/lib/ids.ts'
import type { InboundContent, InboundExtras } from '../../src/providers/whatsapp/port.ts'
import { openBrowser } from '../support/browser.ts'
import { judge, openConsole, showPages, startConsoleProduct, VIEWS } from '../support/console.ts'
import { eventually, type Product } from '../support/product.ts'

const phone = '+972507770001'
let product: Product
let browser: Browser
let show: ReturnType<typeof showPages>
let contactId: string

beforeAll(async () => {
  product = await startConsoleProduct({ prepare: (ctx, businessId) => fillThread(within(ctx, businessId)) })
  browser = await openBrowser()
  show = showPages(product, browser)
  const [row] = await product.sql<{ id: string }[]>`select id from contacts where phone = ${phone}`
  contactId = row?.id ?? ''
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

/** One message of each kind, as a linked account receives them. */
async function fillThread(business: BusinessContext) {
  let minute = 0
  const receive = async (
    id: string,
    content: InboundContent,
    more: { replyTo?: string; extras?: InboundExtras } = {},
  ) => {
    const { target, ...described } = describeContent(content, more.extras)
    await receiveMessage(business, {
      ...described,
      provider: 'baileys',
      businessId: business.businessId,
      dedupeKey: id,
      providerMessageId: id,
      from: { phone },
      replyTo: target ?? more.replyTo,
      at: new Date(Date.now() - 3_600_000 + ++minute * 1_000).toISOString(),
    })
  }
  await receive('A1', { kind: 'text', text: 'כמה עולה תיקון?' })
  await receive('A2', { kind: 'text', text: 'אני מחכה לתשובה' }, { replyTo: 'A1', extras: { forwarded: true } })
  await receive('A3', { kind: 'reaction', emoji: '👍', messageId: 'A1' })
  await receive('A4', { kind: 'text', text: 'לפני העריכה' })
  await receive('A5', { kind: 'text', text: 'יימחק' })
  for (const [providerMessageId, text] of [
    ['A4', 'אחרי העריכה'],
    ['A5', null],
  ] as const)
    await changeMessage(business, {
      ...{ provider: 'baileys', direction: 'in', contact: { phone }, at: new Date(), providerMessageId, text },
    })
  await receive('C1', { kind: 'text', text: 'Hello, how much is it?\nאפשר לקבל הצעת מחיר?' })
  const place = { latitude: 32.08, longitude: 34.78, name: 'המשרד', address: 'הרצל 1, תל אביב' }
  await receive('A6', { kind: 'location', ...place })
  const card = { name: 'יוסי כהן', phones: ['050-123-4567'], emails: ['yossi@example.com'], organization: 'כהן ובניו' }
  await receive('A7', { kind: 'contacts', contacts: [card] })
  await receive('A8', { kind: 'poll', question: 'מתי נוח?', options: ['בוקר', 'ערב'], selectable: 1 })
  await receive('A9', { kind: 'poll_vote', messageId: 'A8', options: ['ערב'] })
  await receive('B1', { kind: 'unsupported', type: 'keepInChatMessage', text: '' })
  await receive('B2', {
    kind: 'choice',
    ...{ text: 'משלוח', id: '1', description: 'עד הבית', source: 'list' },
  })
}

const openThread = async (options: Parameters<typeof openConsole>[3] = {}) => {
  const opened = await openConsole(product, browser, `/inbox?contact=${contactId}`, options)
  await opened.page.getByRole('log').getByText('כמה עולה תיקון?').first().waitFor()
  return opened
}

test('each kind of message is shown as WhatsApp shows it', async () => {
  const { page, problems, close } = await openThread()
  const bubble = (text: string) => page.getByRole('log').getByRole('article').filter({ hasText: text })
  const answer = bubble('אני מחכה לתשובה')
  await answer.getByRole('button', { name: /בתשובה ל\s*כמה עולה תיקון/ }).click()
  await answer.getByText('הועברה').waitFor()
  await bubble('כמה עולה תיקון?').first().getByRole('list', { name: 'תגובות' }).getByText('👍').waitFor()
  await bubble('אחרי העריכה').getByText('נערכה').waitFor()
  await bubble('ההודעה נמחקה').waitFor()
  expect(await page.getByText('לפני העריכה').count()).toBe(0)
  expect(await page.getByRole('log').getByText('יימחק').count()).toBe(0)
  await bubble('הרצל 1').getByRole('link', { name: /מיקום/ }).waitFor()
  const card = bubble('יוסי כהן')
  expect(await card.getByRole('link', { name: '050-123-4567' }).getAttribute('href')).toBe('tel:0501234567')
  await card.getByText('כהן ובניו').waitFor()
  await bubble('מתי נוח?').getByRole('listitem').filter({ hasText: 'ערב' }).getByText('קול אחד').waitFor()
  await bubble('keepInChatMessage').waitFor()
  await bubble('משלוח').getByText('עד הבית').waitFor()
  expect(problems).toEqual([])
  await close()
}, 60_000)

test.each(['he', 'en'] as const)(
  'each line of a text has the direction and the side of its own language, in %s',
  async (language) => {
    const { page, close } = await openThread({ language })
    const text = page.getByRole('log').getByText('Hello, how much is it?')
    await text.waitFor()
    const at = await text.evaluate((element) => {
      const node = element.firstChild as Text
      const box = element.getBoundingClientRect()
      const whole = node.data
      const place = (index: number) => {
        const range = document.createRange()
        range.setStart(node, index)
        range.setEnd(node, index + 1)
        const { left, right } = range.getBoundingClientRect()
        return { fromLeft: Math.round(left - box.left), fromRight: Math.round(box.right - right) }
      }
      const second = whole.indexOf('\n') + 1
      return { H: place(0), mark: place(second - 2), aleph: place(second), end: place(whole.length - 1) }
    })
    // English begins at its left and ends with its mark; the Hebrew line below it begins at its right.
    expect(at.H.fromLeft).toBeLessThanOrEqual(1)
    expect(at.mark.fromLeft).toBeGreaterThan(at.H.fromLeft + 50)
    expect(at.aleph.fromRight).toBeLessThanOrEqual(1)
    expect(at.end.fromLeft).toBeLessThan(at.aleph.fromLeft)
    await close()
  },
  60_000,
)

test('a contact card becomes a contact', async () => {
  const { page, close } = await openThread({ language: 'en' })
  await page.getByRole('link', { name: 'Save as a contact' }).click()
  const dialog = page.getByRole('dialog')
  expect(await dialog.getByLabel('Name', { exact: true }).inputValue()).toBe('יוסי כהן')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.waitForURL(/\/inbox\?/)
  const [row] = await product.sql`select phone from contacts where name = 'יוסי כהן'`
  expect(row?.phone).toBe('+972501234567')
  await close()
}, 60_000)

test('a message of unknown outcome is decided by hand, and a refused one says what to do', async () => {
  const [talk] = await product.sql`select id, business_id from conversations where contact_id = ${contactId}`
  for (const [status, code, body] of [
    ['unknown', null, 'נשלחה או לא'],
    ['failed', '63016', 'אחרי יום'],
    ['failed', '99999', 'תקלה אחרת'],
  ] as const)
    await product.sql`insert into messages (id, business_id, conversation_id, contact_id, direction, provider, status, body,
      error_code, error_message) values (${newId()}, ${talk?.business_id}, ${talk?.id}, ${contactId}, 'out', 'twilio',
      ${status}, ${body}, ${code}, 'Said by the provider.')`
  const { page, close } = await openThread()
  const bubble = (text: string) => page.getByRole('log').getByRole('article').filter({ hasText: text })
  await bubble('אחרי יום').getByText('שלחו תבנית').waitFor()
  await bubble('תקלה אחרת').getByText('99999').waitFor()
  await bubble('תקלה אחרת').getByText('פרטים טכניים').click()
  await bubble('תקלה אחרת').getByText('Said by the provider.').waitFor()
  await bubble('אחרי יום').getByRole('button', { name: 'לכתוב שוב' }).click()
  expect(await page.locator('#composer').inputValue()).toBe('אחרי יום')
  await bubble('נשלחה או לא').getByRole('button', { name: 'היא הגיעה' }).click()
  await bubble('נשלחה או לא').getByText('נשלחה', { exact: true }).waitFor()
  await eventually(async () => {
    const [row] = await product.sql`select status from messages where body = 'נשלחה או לא'`
    return row?.status === 'sent'
  }, 'the decision')
  await close()
}, 60_000)

for (const { language, width } of VIEWS)
  test(`a thread of every kind in ${language} at ${width} pixels: nothing sticks out, no finding of axe, no error`, async () => {
    const { page, problems } = await show(`/inbox?contact=${contactId}`, { language, width })
    await page.getByRole('log').getByText('כמה עולה תיקון?').first().waitFor()
    await judge(page, `thread-kinds-${language}-${width}`, problems)
  }, 60_000)
