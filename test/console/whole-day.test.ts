import { afterAll, beforeAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import sharp from 'sharp'
import { decodeMulaw } from '../../src/audio/mulaw.ts'
import { writeWavPcm16 } from '../../src/audio/wav.ts'
import { buildConsole } from '../../src/console/build/build.ts'
import { SANDBOX_NUMBERS } from '../../src/sandbox/demo.ts'
import { createClient } from '../../src/trpc/client.ts'
import { openBrowser } from '../support/browser.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { photograph } from '../support/console.ts'
import { type Installation, killWebServers, startInstallation } from '../support/installation.ts'
import { eventually } from '../support/product.ts'
import { driveSandbox } from '../support/sandbox-control.ts'
import { endSpeech, line, speak } from '../support/speech.ts'

// One installation and two browsers for a whole day: each test goes on where the one before it ended.
const LONG = 120_000
const CUSTOMER = '+972521112233'
/** The account that the sandbox links at the first start. */
const ACCOUNT = '+972501110000'

let installation: Installation
let sandbox: ReturnType<typeof driveSandbox>
let api: ReturnType<typeof createClient>
let browser: Browser
let desk: Page
/** Another member's browser, on a phone. */
let phone: Page
let contactId = ''
const problems: string[] = []
/** From a press in one browser until the other shows it, in milliseconds. */
const delays: Record<string, number> = {}

beforeAll(async () => {
  await buildConsole(join(import.meta.dir, '../../dist/console'))
  const microphone = join(temporaryDirectory('microphone'), 'caller.wav')
  const said = line(5_000, await speak('שְׁמִי דָּנָה לֵוִי', 'he'), 4_000)
  writeFileSync(microphone, writeWavPcm16(decodeMulaw(said), 8_000))
  ;[installation, browser] = await Promise.all([
    startInstallation({ BUSINESS_LANGUAGE: 'he' }),
    openBrowser([
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      `--use-file-for-fake-audio-capture=${microphone}`,
      '--autoplay-policy=no-user-gesture-required',
    ]),
  ])
  sandbox = driveSandbox(installation.dataDir)
  api = createClient({ url: installation.url, apiKey: null })
  await sandbox.person(CUSTOMER, 'משה כהן')
  desk = await openPage(1280)
  phone = await openPage(360)
}, LONG)
afterAll(async () => {
  await endSpeech()
  await browser?.close()
  await installation?.stop()
}, LONG)

async function openPage(width: number): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    locale: 'he-IL',
    permissions: ['microphone'],
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('pageerror', (error) => problems.push(error.message))
  return page
}

const go = (page: Page, path: string) => page.goto(`${installation.url}/console${path}`)
const log = (page: Page) => page.getByRole('log')
const button = (page: Page | Locator, name: string) => page.getByRole('button', { name, exact: true })

/** Waits until the other browser shows what was just done. */
async function seenElsewhere(what: string, there: Locator, done: () => Promise<unknown>) {
  const started = performance.now()
  await done()
  try {
    await there.waitFor()
  } catch (error) {
    await photograph(desk, 'day-failed')
    await photograph(phone, 'day-failed-phone')
    throw error
  }
  delays[what] = performance.now() - started
}

const openThread = async (page: Page) => {
  await go(page, `/inbox?contact=${contactId}`)
  await page.locator('#composer').waitFor()
}
/** What the customer's phone received, of these words. */
const arrived = async (text: string) => (await sandbox.received(CUSTOMER)).filter((each) => each.text === text)

test(
  'morning: the business is set up from the first page, step by step',
  async () => {
    await desk.goto(installation.url)
    await desk.getByRole('link', { name: 'המשך' }).click()
    await desk.getByRole('link', { name: /העסק והשפה/ }).click()
    await desk.getByLabel('שם העסק').fill('מטבחי דנה')
    await button(desk, 'שמירה').click()
    await desk.getByRole('status').filter({ hasText: 'הגעתם אל מטבחי דנה' }).waitFor()
    await desk.getByRole('link', { name: 'לשלב הבא' }).click()
    await desk.getByLabel('יום שישי', { exact: true }).check()
    await button(desk, 'שמירה').click()
    await desk.getByText('נשמר: פתוח 6 ימים בשבוע.').waitFor()
    expect(await api.businesses.get.query()).toMatchObject({ name: 'מטבחי דנה', language: 'he' })
    expect((await api.businesses.get.query()).hours?.fri).toHaveLength(1)
    await desk.getByRole('link', { name: 'לשלב הבא' }).click()
    await desk.getByRole('status').filter({ hasText: '03-376-0000' }).waitFor()
    await desk.getByRole('link', { name: 'לשלב הבא' }).click()
    await desk.getByRole('status').filter({ hasText: '050-111-0000' }).waitFor()
    await desk.getByRole('link', { name: 'לשלב הבא' }).click()
    await desk.getByText('עוד לא הגיעה שיחה.').waitFor()
    await photograph(desk, 'day-setup')
  },
  LONG,
)

test(
  'a call comes: it is in the inbox of the other browser while it rings, and the setup sees it too',
  async () => {
    await go(phone, '/inbox')
    await phone.getByText('אין כאן שיחות').waitFor()
    const steps = [
      { say: Buffer.from(await speak('שְׁמִי מֹשֶׁה כֹּהֵן', 'he')).toString('base64') },
      { say: Buffer.from(await speak('אֲנִי רוֹצֶה מִטְבָּח חָדָשׁ', 'he')).toString('base64') },
      { hangup: true, when: { afterMs: 1_500 } },
    ]
    await sandbox.call({ from: CUSTOMER, to: SANDBOX_NUMBERS.he, script: steps, maxSeconds: 40 })
    await phone.getByRole('option', { name: /052-111-2233/ }).waitFor()
    await desk.getByText('הגיעה שיחה מ-').waitFor()
    await desk.getByRole('link', { name: 'סיום' }).click()
    await desk.getByRole('heading', { level: 1, name: 'מה מחכה לכם' }).waitFor()
    const call = await eventually(
      async () => (await api.calls.list.query({})).items.find(({ state }) => state === 'ended'),
      'the call to end',
      60_000,
    )
    expect(call).toMatchObject({ from: CUSTOMER, endReason: 'caller_hung_up' })
    contactId = call.contactId ?? ''
    await phone.getByRole('option', { name: /052-111-2233/ }).click()
    await phone.getByRole('link', { name: /שיחה נכנסת/ }).waitFor()
  },
  LONG,
)

test(
  'the call is played at a turn that is pressed',
  async () => {
    const [call] = (await api.calls.list.query({})).items
    await eventually(
      async () => (await api.calls.audio.query({ id: call?.id ?? '' })).state === 'ready',
      'the audio of the call',
      60_000,
    )
    await openThread(desk)
    await desk.getByRole('link', { name: /שיחה נכנסת/ }).click()
    await desk.getByRole('slider').waitFor()
    const { turns } = await api.calls.get.query({ id: call?.id ?? '' })
    const second = turns.filter(({ role }) => role === 'agent')[1]
    await desk
      .getByRole('button', { name: /^הסוכן/ })
      .filter({ hasText: second?.text ?? '' })
      .click()
    await desk.getByText('מושמע').waitFor()
    const from = (second?.startMs ?? 0) / 1000
    await desk.waitForFunction((at) => {
      const audio = document.querySelector<HTMLAudioElement>('section audio')
      return audio && !audio.paused && audio.currentTime > at + 0.2
    }, from)
    expect(
      await desk.evaluate(() => document.querySelector<HTMLAudioElement>('section audio')?.currentTime),
    ).toBeLessThan(from + 8)
    await photograph(desk, 'day-call')
  },
  LONG,
)

test(
  'the lead that the call made is moved by the keyboard, and the other browser sees it',
  async () => {
    const [lead] = (await api.leads.list.query({ contactId })).items
    const next = (await api.leads.stages.query()).items[1]
    await Promise.all([go(desk, '/leads'), go(phone, '/leads')])
    const card = desk.locator(`[data-lead="${lead?.id}"]`).getByRole('button').first()
    await card.focus()
    await desk.keyboard.press('ArrowLeft')
    await desk.getByText(/אנטר מעביר/).waitFor({ state: 'attached' })
    const there = phone.getByRole('region', { name: next?.name ?? '' }).locator(`[data-lead="${lead?.id}"]`)
    await seenElsewhere('lead moved', there, () => desk.keyboard.press('Enter'))
    expect((await api.leads.get.query({ id: lead?.id ?? '' })).stage).toBe(next?.key ?? '')
    await photograph(desk, 'day-leads')
  },
  LONG,
)

test(
  'the customer writes and sends a photo, which is seen; a picture and a voice note go back',
  async () => {
    await Promise.all([openThread(desk), openThread(phone)])
    await sandbox.write(CUSTOMER, ACCOUNT, { kind: 'text', text: 'שלום, זה המטבח שלנו היום:' })
    const taken = await sharp({ create: { width: 640, height: 480, channels: 3, background: '#c9b79c' } })
      .jpeg()
      .toBuffer()
    await sandbox.write(CUSTOMER, ACCOUNT, {
      kind: 'image',
      data: taken.toString('base64'),
      caption: 'אפשר הצעת מחיר?',
    })
    await log(desk).getByText('אפשר הצעת מחיר?').waitFor()
    const photo = log(desk).getByRole('img').last()
    await photo.waitFor()
    const widthOf = (image: Locator) => image.evaluate((element: HTMLImageElement) => element.naturalWidth)
    await eventually(async () => (await widthOf(photo)) > 0, 'the small photo')
    await photo.click()
    const enlarged = desk.getByRole('dialog').getByRole('img')
    await eventually(async () => (await widthOf(enlarged)) === 640, 'the whole photo')
    await desk.keyboard.press('Escape')
    const [stored] = (await api.messages.list.query({ contactId, direction: 'in', limit: 1 })).items
    expect(stored).toMatchObject({ body: 'אפשר הצעת מחיר?', media: [{ kind: 'image', state: 'stored' }] })

    const plan = await sharp({ create: { width: 800, height: 600, channels: 3, background: '#0f766e' } })
      .jpeg()
      .toBuffer()
    const chooser = desk.waitForEvent('filechooser')
    await button(desk, 'צירוף קובץ').click()
    await (await chooser).setFiles([{ name: 'plan.jpg', mimeType: 'image/jpeg', buffer: plan }])
    await desk.getByRole('list', { name: 'קבצים לשליחה' }).getByRole('img').waitFor()
    await desk.locator('#composer').fill('ככה זה ייראה אצלכם')
    await button(desk, 'שליחה').and(desk.locator(':enabled')).click()
    const [picture] = await eventually(
      async () => {
        const found = await arrived('ככה זה ייראה אצלכם')
        return found.length > 0 ? found : null
      },
      'the picture at the customer',
      30_000,
    )
    expect((await sandbox.receivedFile(CUSTOMER, picture?.id ?? '')).equals(plan)).toBe(true)

    await button(desk, 'הקלטת הודעה קולית').click()
    await desk.locator('form').getByText('0:01').waitFor()
    await button(desk, 'סיום ההקלטה').click()
    await desk.locator('audio[aria-label="הודעה קולית"]').waitFor()
    await button(desk, 'שליחה').and(desk.locator(':enabled')).click()
    const voice = await eventually(
      async () => (await sandbox.received(CUSTOMER)).find(({ kind }) => kind === 'voice'),
      'the voice note at the customer',
    )
    const file = await sandbox.receivedFile(CUSTOMER, voice.id)
    expect([file.subarray(0, 4).toString(), file.includes('OpusHead')]).toEqual(['OggS', true])
    await button(log(desk), 'השמעה').last().waitFor()
    const sent = (await api.messages.list.query({ contactId, direction: 'out' })).items
    expect(sent.map(({ media }) => media?.[0]?.kind)).toEqual(['voice', 'image'])
    await log(phone).getByText('ככה זה ייראה אצלכם').waitFor()

    await desk.locator('#composer').fill('מתאים ביום ראשון?')
    await seenElsewhere('message sent', log(phone).getByText('מתאים ביום ראשון?'), () => desk.keyboard.press('Enter'))
    await log(desk).getByText('נקראה').last().waitFor()
    await photograph(desk, 'day-thread')
    await photograph(phone, 'day-thread-phone')
  },
  LONG,
)

test(
  'an appointment is made and moved, and moves in the other browser too',
  async () => {
    const date = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Jerusalem', dateStyle: 'short' }).format(
      new Date(Date.now() + 86_400_000),
    )
    await Promise.all([go(desk, `/calendar?view=day&date=${date}`), go(phone, `/calendar?view=day&date=${date}`)])
    await button(desk, 'פגישה חדשה').click()
    const dialog = desk.getByRole('dialog')
    await dialog.getByLabel('תאריך').fill(date)
    await dialog.getByLabel('שעה').fill('10:00')
    await dialog.getByLabel('שם').fill('משה כהן')
    await dialog.getByLabel('טלפון').fill('052-111-2233')
    await button(dialog, 'שמירה').click()
    const card = desk.getByRole('button', { name: /משה כהן/ })
    await card.waitFor()
    const find = async () => (await api.appointments.list.query({})).items.find((each) => each.contactId === contactId)
    const before = await find()
    await phone.getByRole('button', { name: /10:00 משה כהן/ }).waitFor()
    await card.focus()
    await desk.keyboard.press('ArrowDown')
    await desk.keyboard.press('ArrowDown')
    const there = phone.getByRole('button', { name: /10:30 משה כהן/ })
    await seenElsewhere('appointment moved', there, () => desk.keyboard.press('Enter'))
    const moved = Date.parse((await find())?.startsAt ?? '') - Date.parse(before?.startsAt ?? '')
    expect(moved).toBe(30 * 60_000)
    await photograph(desk, 'day-calendar')
  },
  LONG,
)

test(
  'a payment is asked for in the thread; the customer pays, and the thread says so',
  async () => {
    await api.businesses.update.mutate({ paymentProvider: 'paypal', defaultWhatsappProvider: 'baileys' })
    await Promise.all([openThread(desk), openThread(phone)])
    await button(desk, 'בקשת תשלום').click()
    const dialog = desk.getByRole('dialog')
    await dialog.getByLabel('סכום בשקלים').fill('500')
    await dialog.getByLabel('עבור מה').fill('מקדמה למטבח')
    await button(dialog, 'שליחת בקשת התשלום').click()
    const link = await eventually(
      async () => (await sandbox.received(CUSTOMER)).find(({ text }) => text?.includes('/pay/')),
      'the link at the customer',
      // WhatsApp sees it being typed.
      30_000,
    )
    const customer = await browser.newContext({ locale: 'he-IL', viewport: { width: 360, height: 740 } })
    const page = await customer.newPage()
    await page.goto(/https?:\S+/.exec(link.text ?? '')?.[0] ?? '')
    await photograph(page, 'day-pay')
    await page.getByRole('button', { name: /מאובטח/ }).click()
    await page.waitForURL(/checkoutnow/)
    await page.getByRole('button', { name: 'Pay now' }).click()
    await page.waitForURL(/checking=/)
    await log(desk).getByText('שולם').waitFor({ timeout: 30_000 })
    await log(phone).getByText('שולם').waitFor()
    const [payment] = (await api.payments.list.query({})).items
    expect(payment).toMatchObject({ amount: 50_000, state: 'paid', description: 'מקדמה למטבח' })
    await customer.close()
  },
  LONG,
)

test(
  'the account is unlinked, and linked again by the code on the screen',
  async () => {
    await go(desk, '/settings?part=whatsapp')
    const card = desk.getByRole('listitem').filter({ hasText: '050-111-0000' })
    await card.getByText('מחובר', { exact: true }).waitFor()
    await button(card, 'ניתוק').click()
    await card.getByText('לא מחובר').waitFor()
    const account = async () => (await api.whatsapp.list.query()).items[0]
    expect((await account())?.state).not.toBe('working')
    await go(phone, '/today')
    await phone.getByRole('region', { name: 'חשבונות וואטסאפ לא מחוברים' }).waitFor()
    await button(card, 'קישור מחדש').click()
    await card.getByRole('img', { name: 'קוד לסריקה' }).waitFor({ timeout: 40_000 })
    await photograph(desk, 'day-link')
    const qr = await eventually(async () => (await account())?.qr, 'the code')
    await sandbox.scan(qr, ACCOUNT)
    await card.getByText('מחובר', { exact: true }).waitFor({ timeout: 30_000 })
    expect(await account()).toMatchObject({ state: 'working', phone: ACCOUNT })
    await phone.getByRole('region', { name: 'חשבונות וואטסאפ לא מחוברים' }).waitFor({ state: 'detached' })
    await sandbox.write(CUSTOMER, ACCOUNT, { kind: 'text', text: 'קיבלתם את התשלום?' })
    await openThread(desk)
    await log(desk).getByText('קיבלתם את התשלום?').waitFor()
  },
  LONG,
)

test(
  'the receptionist is drafted, tried by a call from the browser, published and restored',
  async () => {
    const words = 'שלום, כאן מטבחי דנה, הטיוטה. מי מדבר?'
    await go(desk, '/settings?part=receptionist&tab=edit')
    await desk.getByRole('textbox', { name: 'ברכת פתיחה בעברית' }).fill(words)
    await desk.getByText('הטיוטה נשמרה.').waitFor()
    expect((await api.receptionist.get.query()).settings.greeting).toEqual({})
    await button(desk, 'שיחת ניסיון').click()
    await button(desk, 'חיוג').click()
    const transcript = desk.getByRole('log', { name: 'תמליל' })
    await transcript.getByText(words).waitFor()
    await transcript.getByRole('listitem').filter({ hasText: 'אתם' }).first().waitFor()
    await photograph(desk, 'day-test-call')
    await button(desk, 'ניתוק').click()
    await desk.getByText('השיחה הסתיימה: ניתקתם.').waitFor()
    const [tried] = (await api.calls.list.query({ tests: true })).items
    expect(tried).toMatchObject({ isTest: true, endReason: 'caller_hung_up' })

    await button(desk, 'מה השתנה').click()
    await desk.locator('ins').first().waitFor()
    await photograph(desk, 'day-difference')
    await button(desk, 'פרסום').click()
    await desk.getByText('גרסה 1 היא מה שהמתקשרים שומעים עכשיו.').waitFor()
    expect(await api.receptionist.get.query()).toMatchObject({ version: 1, settings: { greeting: { he: words } } })
    await button(desk, 'היסטוריה').click()
    await button(desk, 'שחזור כפי שהגיע').click()
    await desk.getByText('שוחזר: גרסה 2 היא מה שהמתקשרים שומעים עכשיו.').waitFor()
    expect(await api.receptionist.get.query()).toMatchObject({ version: 2, settings: { greeting: {} } })
  },
  LONG,
)

test(
  'evening: the servers are killed while a message is being written; nothing is lost, it goes out once',
  async () => {
    await Promise.all([openThread(desk), openThread(phone)])
    await phone.locator('#composer').fill('טיוטה מהטלפון')
    await desk.locator('#composer').fill('כן, קיבלנו. תודה!')
    killWebServers(installation.dataDir)
    await desk.keyboard.press('Enter')
    try {
      await log(desk).getByText('כן, קיבלנו. תודה!').waitFor()
    } catch (error) {
      throw new Error(`what was sent is not shown: ${await desk.locator('body').textContent()}`, { cause: error })
    }
    await eventually(() => installation.isUp(), 'a server to be back', 60_000)
    await log(phone).getByText('כן, קיבלנו. תודה!').waitFor({ timeout: 30_000 })
    await eventually(async () => (await arrived('כן, קיבלנו. תודה!')).length > 0, 'the message at the customer', 30_000)
    await log(desk).getByText('ממתינה לשרת').waitFor({ state: 'detached' })
    await phone.reload()
    await phone.locator('#composer').waitFor()
    expect(await phone.locator('#composer').inputValue()).toBe('טיוטה מהטלפון')
    await button(phone, 'שליחה').click()
    await eventually(async () => (await arrived('טיוטה מהטלפון')).length > 0, 'the other message', 30_000)
    for (const text of ['כן, קיבלנו. תודה!', 'טיוטה מהטלפון']) {
      expect(await arrived(text)).toHaveLength(1)
      const { items } = await api.messages.list.query({ contactId, direction: 'out' })
      expect(items.filter(({ body }) => body === text)).toHaveLength(1)
    }
  },
  LONG,
)

test('what one browser did was in the other within a second, and no page failed', () => {
  const sorted = Object.values(delays).toSorted((a, b) => a - b)
  expect(sorted).toHaveLength(3)
  // The median: one of them may meet a machine that is busy with other tests.
  expect(`${Math.round(sorted[1] ?? 0)} ms of ${JSON.stringify(delays)}`).toSatisfy(() => (sorted[1] ?? 0) < 1_000)
  expect(problems).toEqual([])
})
