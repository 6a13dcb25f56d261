import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import sharp from 'sharp'
import { newId } from '../../src/lib/ids.ts'
import { openBrowser } from '../support/browser.ts'
import { judge, openConsole, showPages, startConsoleProduct, VIEWS } from '../support/console.ts'
import { eventually, type Product } from '../support/product.ts'

const MICROPHONE = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream']

let product: Product
let browser: Browser
let show: ReturnType<typeof showPages>
let picture: Buffer

beforeAll(async () => {
  product = await startConsoleProduct({
    env: {
      PAYPAL_CLIENT_ID: 'client',
      PAYPAL_CLIENT_SECRET: 'secret',
      PAYPAL_WEBHOOK_ID: 'WH-1',
      PAYPAL_API_BASE_URL: 'http://127.0.0.1:9',
    },
  })
  browser = await openBrowser(MICROPHONE)
  show = showPages(product, browser)
  picture = await sharp({ create: { width: 640, height: 480, channels: 3, background: '#0f766e' } })
    .jpeg()
    .toBuffer()
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

let people = 0
let received = 0

/** A person who wrote just now, or as long ago as said. */
async function newWriter(hoursAgo = 0): Promise<{ phone: string; contactId: string }> {
  const phone = `+97252${String(5_000_000 + ++people)}`
  await product.post('/webhook/whatsapp/twilio', {
    AccountSid: product.carrier.accountSid,
    MessageSid: `SM${String(++received).padStart(32, '0')}`,
    From: `whatsapp:${phone}`,
    To: 'whatsapp:+14155238886',
    Body: 'שלום',
    NumMedia: '0',
    ProfileName: 'דנה לוי',
  })
  const contactId = await eventually(async () => {
    const [row] = await product.sql<{ id: string }[]>`select id from contacts where phone = ${phone}`
    return row?.id
  }, 'the contact')
  if (hoursAgo > 0)
    await product.sql`update messages set occurred_at = now() - ${hoursAgo} * interval '1 hour' where contact_id = ${contactId}`
  return { phone, contactId }
}

const openThread = async (contactId: string, options: Parameters<typeof openConsole>[3] = {}) => {
  const opened = await openConsole(product, browser, `/inbox?contact=${contactId}`, {
    permissions: ['microphone'],
    ...options,
  })
  await opened.page.getByRole('log').getByText('שלום').waitFor()
  return opened
}
const sentTo = (phone: string) =>
  [...product.carrier.messages.values()].filter(
    ({ to, direction }) => to === `whatsapp:${phone}` && direction !== 'inbound',
  )
const attach = async (page: Page, files: { name: string; mimeType: string; buffer: Buffer }[]) => {
  const chooser = page.waitForEvent('filechooser')
  await page.getByRole('button', { name: /צירוף קובץ|Attach a file/ }).click()
  await (await chooser).setFiles(files)
}
const sendButton = (page: Page) => page.getByRole('button', { name: /^(שליחה|Send)$/ })

test('a picture is seen before it is sent, goes out with its words, and the provider can fetch it', async () => {
  const { phone, contactId } = await newWriter()
  const { page, problems, close } = await openThread(contactId)
  await attach(page, [{ name: 'roof.jpg', mimeType: 'image/jpeg', buffer: picture }])
  await page.getByRole('list', { name: 'קבצים לשליחה' }).getByRole('img').waitFor()
  await page.locator('#composer').fill('הגג שלכם')
  await sendButton(page).click()
  const log = page.getByRole('log')
  await log.getByRole('img', { name: 'roof.jpg' }).waitFor()
  await log.getByText('נקראה').waitFor()
  const [message] = sentTo(phone)
  expect(message?.body).toBe('הגג שלכם')
  const fetched = await fetch(message?.mediaUrls[0] ?? '')
  expect([fetched.status, fetched.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
  expect(Buffer.from(await fetched.arrayBuffer()).equals(picture)).toBe(true)
  // Enlarged in its place.
  await log.getByRole('button', { name: /roof\.jpg/ }).click()
  await page.getByRole('dialog').getByRole('img').waitFor()
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('several files are several messages; what cannot be sent says why in words', async () => {
  const { phone, contactId } = await newWriter()
  const { page, close } = await openThread(contactId)
  await attach(page, [
    { name: 'a.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4\n%%EOF') },
    { name: 'b.jpg', mimeType: 'image/jpeg', buffer: picture },
  ])
  await sendButton(page).and(page.locator(':enabled')).click()
  await eventually(async () => sentTo(phone).length === 2, 'both files')
  await attach(page, [
    { name: 'film.mp4', mimeType: 'video/mp4', buffer: Buffer.alloc(17 * 1_048_576) },
    { name: 'program.exe', mimeType: 'application/x-msdownload', buffer: Buffer.from('MZ program') },
  ])
  await page.getByRole('alert').filter({ hasText: '16' }).waitFor()
  await page.getByRole('alert').filter({ hasText: 'PDF' }).waitFor()
  expect(await sendButton(page).isEnabled()).toBe(false)
  for (const name of ['film.mp4', 'program.exe']) await page.getByRole('button', { name: `הסרת ${name}` }).click()
  await page.locator('#composer').fill('בלי קבצים')
  await sendButton(page).and(page.locator(':enabled')).click()
  await eventually(async () => sentTo(phone).some(({ body }) => body === 'בלי קבצים'), 'the text')
  expect(sentTo(phone)).toHaveLength(3)
  await close()
}, 60_000)

test('a picture is pasted into the text, and another one dropped on the thread', async () => {
  const { phone, contactId } = await newWriter()
  const { page, close } = await openThread(contactId)
  const give = (kind: 'paste' | 'drop', selector: string) =>
    page.locator(selector).evaluate(
      (element, { kind, bytes }) => {
        const data = new DataTransfer()
        data.items.add(new File([new Uint8Array(bytes)], `${kind}.jpg`, { type: 'image/jpeg' }))
        const event =
          kind === 'paste'
            ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
            : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
        element.dispatchEvent(event)
      },
      { kind, bytes: [...picture] },
    )
  await give('paste', '#composer')
  await give('drop', '[role=log]')
  await page.getByText('paste.jpg').waitFor()
  await page.getByText('drop.jpg').waitFor()
  await sendButton(page).and(page.locator(':enabled')).click()
  await eventually(async () => sentTo(phone).length === 2, 'both pictures')
  await close()
}, 60_000)

test('a voice note is recorded, heard, sent as Opus in Ogg, and played where it stands', async () => {
  const { phone, contactId } = await newWriter()
  const { page, problems, close } = await openThread(contactId)
  await page.getByRole('button', { name: 'הקלטת הודעה קולית' }).click()
  await page.getByText('0:02').waitFor()
  await page.getByRole('button', { name: 'סיום ההקלטה' }).click()
  await page.locator('audio[aria-label="הודעה קולית"]').waitFor()
  await sendButton(page).and(page.locator(':enabled')).click()
  await eventually(async () => sentTo(phone).length === 1, 'the voice note')
  const fetched = await fetch(sentTo(phone)[0]?.mediaUrls[0] ?? '')
  const bytes = Buffer.from(await fetched.arrayBuffer())
  expect(fetched.headers.get('content-type')).toStartWith('audio/ogg')
  expect(bytes.subarray(0, 4).toString()).toBe('OggS')
  expect(bytes.includes('OpusHead')).toBe(true)
  const log = page.getByRole('log')
  await log.getByRole('button', { name: 'השמעה' }).click()
  await log.getByRole('button', { name: 'השהיה' }).waitFor()
  await log.getByRole('button', { name: 'השמעה' }).waitFor()
  const { media } = (await product.trpc().messages.list.query({ contactId, direction: 'out' })).items[0] ?? {}
  expect(media?.[0]).toMatchObject({ kind: 'voice', state: 'stored' })
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('when the window is shut an approved template is filled in and sent', async () => {
  const { phone, contactId } = await newWriter(30)
  const { page, close } = await openThread(contactId, { language: 'en' })
  await page.locator('#composer').fill('free text')
  expect(await sendButton(page).isEnabled()).toBe(false)
  await page.getByRole('button', { name: 'Send a template' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: /appointment_reminder_en/ }).click()
  await dialog.getByLabel('Instead of 1').fill('Dana')
  await dialog.getByLabel('Instead of 2').fill('Sunday')
  await dialog.getByText('Hello Dana, a reminder of your appointment on Sunday.').waitFor()
  await dialog.getByRole('button', { name: 'Send' }).click()
  await eventually(async () => sentTo(phone).length === 1, 'the template')
  expect(JSON.parse(sentTo(phone)[0]?.contentVariables ?? '')).toEqual({ 1: 'Dana', 2: 'Sunday' })
  // What was typed is still there.
  expect(await page.locator('#composer').inputValue()).toBe('free text')
  product.carrier.contents.length = 0
  await page.reload()
  await page.getByRole('button', { name: 'Send a template' }).click()
  await page.getByText('There are no approved templates.').waitFor()
  await close()
}, 60_000)

test('a payment is asked for beside the text; the link goes out and stands in the thread', async () => {
  const { phone, contactId } = await newWriter()
  const { page, close } = await openThread(contactId)
  await page.getByRole('button', { name: 'בקשת תשלום' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('סכום בשקלים').fill('79.90')
  await dialog.getByLabel(/עבור מה|על מה/).fill('זר פרחים')
  await dialog.getByRole('button', { name: 'שליחת בקשת התשלום' }).click()
  await page.getByRole('log').getByText('79.90').first().waitFor()
  await eventually(async () => sentTo(phone).some(({ body }) => body.includes('/pay/')), 'the link')
  await close()
}, 60_000)

test('a reply quotes the message; what the server refuses says why and goes back into the text', async () => {
  const { contactId } = await newWriter()
  const [row] = await product.sql`select conversation_id, business_id from messages where contact_id = ${contactId}`
  await product.sql`insert into messages (id, business_id, conversation_id, contact_id, direction, provider, status, body,
    provider_message_id) values (${newId()}, ${row?.business_id}, ${row?.conversation_id}, ${contactId}, 'in', 'baileys',
    'received', 'כמה זה עולה?', 'ABC')`
  const { page, close } = await openThread(contactId)
  // Over Twilio an answer quotes nothing: only the other message offers it.
  expect(await page.getByRole('button', { name: 'תשובה להודעה' }).count()).toBe(1)
  await page.getByRole('button', { name: 'תשובה להודעה' }).click()
  await page.locator('form').getByText('כמה זה עולה?').waitFor()
  await page.locator('#composer').fill('מאה שקל')
  await page.keyboard.press('Enter')
  await page.getByRole('log').getByText('ממתינה', { exact: true }).waitFor()
  const { items } = await product.trpc().messages.list.query({ contactId, direction: 'out' })
  expect(items[0]).toMatchObject({ body: 'מאה שקל', provider: 'baileys', replyTo: { text: 'כמה זה עולה?' } })
  const long = 'ארוך '.repeat(1_000)
  await page.locator('#composer').fill(long)
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'הטקסט ארוך מדי' }).waitFor()
  await page.getByRole('button', { name: 'לערוך' }).click()
  expect(await page.locator('#composer').inputValue()).toBe(long.trim())
  await close()
}, 60_000)

test('a member reacts to a message, sees it on the bubble at once, and takes it back; what is refused says why', async () => {
  const { contactId } = await newWriter()
  const [row] = await product.sql`select conversation_id, business_id from messages where contact_id = ${contactId}`
  const { id: accountId } = await product.trpc().whatsapp.create.mutate({})
  const id = newId()
  await product.sql`insert into messages (id, business_id, conversation_id, contact_id, account_id, direction, provider, status,
    body, provider_message_id) values (${id}, ${row?.business_id}, ${row?.conversation_id}, ${contactId}, ${accountId}, 'in',
    'baileys', 'received', 'תודה רבה!', 'REACT')`
  const ours = async () => (await product.trpc().messages.get.query({ id })).reactions.map(({ emoji }) => emoji)
  for (const { language, width, react, back, group } of [
    { language: 'he', width: 360, react: 'תגובה באימוג׳י', back: /הסרת התגובה שלנו/, group: 'תגובות' },
    { language: 'en', width: 1280, react: 'React with an emoji', back: /Take our reaction back/, group: 'Reactions' },
  ] as const) {
    const { page, problems, close } = await openConsole(product, browser, `/inbox?contact=${contactId}`, {
      language,
      width,
    })
    const bubble = page.getByRole('article').filter({ hasText: 'תודה רבה!' })
    // What came over Twilio offers nothing.
    await bubble.getByRole('button', { name: react }).waitFor()
    expect(await page.getByRole('button', { name: react }).count()).toBe(1)
    await bubble.getByRole('button', { name: react }).click()
    await bubble.getByRole('group', { name: react }).getByRole('button', { name: '❤️' }).waitFor()
    await judge(page, `reaction-${language}-${width}`, problems)
    await bubble.getByRole('button', { name: '❤️' }).click()
    await bubble.getByRole('list', { name: group }).getByText('❤️').waitFor()
    await eventually(async () => (await ours())[0] === '❤️', 'the reaction')
    await bubble.getByRole('button', { name: back }).click()
    await bubble.getByRole('list', { name: group }).waitFor({ state: 'detached' })
    await eventually(async () => (await ours()).length === 0, 'the reaction to be taken back')
    await close()
  }
  const { page, close } = await openThread(contactId)
  await product.sql`update contacts set opted_out_at = now() where id = ${contactId}`
  const bubble = page.getByRole('article').filter({ hasText: 'תודה רבה!' })
  await bubble.getByRole('button', { name: 'תגובה באימוג׳י' }).click()
  await bubble.getByRole('button', { name: '👍' }).click()
  await bubble.getByRole('alert').getByText('ביקש לא לקבל הודעות').waitFor()
  await close()
}, 60_000)

test('the server is killed while a message is written and while one is sent: nothing is lost, nothing goes out twice', async () => {
  const { phone, contactId } = await newWriter()
  const { page, close } = await openThread(contactId)
  await page.locator('#composer').fill('נשלחה בלי שרת')
  product.server().kill('SIGKILL')
  await page.keyboard.press('Enter')
  await page.getByRole('log').getByText('ממתינה לשרת').waitFor()
  await page.locator('#composer').fill('עוד נכתבת')
  product.web.length = 0
  await product.startWeb()
  await page.reload()
  await page.getByRole('log').getByText('נשלחה בלי שרת').waitFor()
  await eventually(async () => sentTo(phone).length > 0, 'the message')
  await page.getByRole('log').getByText('ממתינה לשרת').waitFor({ state: 'detached' })
  expect(await page.locator('#composer').inputValue()).toBe('עוד נכתבת')
  await sendButton(page).click()
  await eventually(async () => sentTo(phone).length > 1, 'the other message')
  expect(sentTo(phone).map(({ body }) => body)).toEqual(['נשלחה בלי שרת', 'עוד נכתבת'])
  const kept = () => page.evaluate(() => Object.keys(localStorage).filter((key) => /draft|outbox/.test(key)))
  await eventually(async () => (await kept()).length === 0, 'nothing to be kept')
  await close()
}, 60_000)

test('an answer of the server that is lost does not send the message twice', async () => {
  const { phone, contactId } = await newWriter()
  const { page, close } = await openThread(contactId)
  let lost = 0
  await page.route('**/trpc/messages.send**', async (route) => {
    if (lost++ > 0) return route.continue()
    await route.fetch()
    await route.abort()
  })
  await page.locator('#composer').fill('רק פעם אחת')
  await page.keyboard.press('Enter')
  await page.getByRole('log').getByText('ממתינה לשרת').waitFor()
  await page.getByRole('log').getByText('ממתינה לשרת').waitFor({ state: 'detached' })
  expect(lost).toBeGreaterThan(1)
  await eventually(async () => sentTo(phone).length > 0, 'the message')
  expect(sentTo(phone)).toHaveLength(1)
  await close()
}, 60_000)

for (const { language, width } of VIEWS)
  test(`the composer in ${language} at ${width} pixels: nothing sticks out, no finding of axe, no error`, async () => {
    const { contactId } = await newWriter()
    const { page, problems } = await show(`/inbox?contact=${contactId}`, { language, width })
    await page.getByRole('log').getByText('שלום').waitFor()
    await attach(page, [
      {
        name: 'a-picture-with-a-very-long-name-that-has-no-end-and-no-blank.jpg',
        mimeType: 'image/jpeg',
        buffer: picture,
      },
      { name: 'b.bin', mimeType: 'application/x-thing', buffer: Buffer.from('bytes') },
    ])
    await page.getByRole('alert').waitFor()
    await judge(page, `composer-${language}-${width}`, problems)
    await page.getByRole('button', { name: /בקשת תשלום|Request a payment/ }).click()
    await page.getByRole('dialog').waitFor()
    await judge(page, `composer-payment-${language}-${width}`, problems)
  }, 60_000)
