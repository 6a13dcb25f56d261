/**
 * Takes the pictures of the README and of docs/ from a really started product with a day of demo data:
 *
 *   bun bench/pictures.ts [--into docs] [--only console-he]
 *
 * Calls are really placed and heard, messages come through the carrier. Only what a caller said is written beside its turn
 * afterwards: the embedded engine does not transcribe.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import sharp from 'sharp'
import { sendInboundWhatsApp } from '../src/sandbox/carrier/inbound-whatsapp.ts'
import { SANDBOX_NUMBERS } from '../src/sandbox/demo.ts'
import { openBrowser } from '../test/support/browser.ts'
import { runCleanups } from '../test/support/cleanup.ts'
import { startConsoleProduct } from '../test/support/console.ts'
import { eventually, type Product, WHATSAPP_SENDER } from '../test/support/product.ts'
import { endSpeech, speak } from '../test/support/speech.ts'

const { values } = parseArgs({
  options: { into: { type: 'string', default: join(import.meta.dir, '../docs') }, only: { type: 'string' } },
})

const MOSHE = '+972521112233'
const EMMA = '+972541239876'
const KITCHEN = `<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="900">
  <defs><linearGradient id="w" x2="0" y2="1"><stop stop-color="#e8dccb"/><stop offset="1" stop-color="#d3c2a9"/></linearGradient>
  <linearGradient id="f" x2="0" y2="1"><stop stop-color="#a9825a"/><stop offset="1" stop-color="#7d5c3c"/></linearGradient></defs>
  <rect width="1200" height="640" fill="url(#w)"/><rect y="640" width="1200" height="260" fill="url(#f)"/>
  <rect x="430" y="120" width="340" height="230" fill="#bfe0f2" stroke="#fff" stroke-width="16"/><path d="M600 120v230" stroke="#fff" stroke-width="12"/>
  <g fill="#8c6b4a" stroke="#6f5338" stroke-width="5"><rect x="40" y="90" width="170" height="240"/><rect x="210" y="90" width="170" height="240"/>
  <rect x="820" y="90" width="170" height="240"/><rect x="990" y="90" width="170" height="240"/></g>
  <rect x="30" y="470" width="1140" height="34" fill="#4d4740"/>
  <g fill="#94714f" stroke="#6f5338" stroke-width="5"><rect x="40" y="504" width="220" height="220"/><rect x="260" y="504" width="220" height="220"/>
  <rect x="760" y="504" width="200" height="220"/><rect x="960" y="504" width="200" height="220"/></g>
  <rect x="480" y="504" width="280" height="220" fill="#d9d9d6" stroke="#9c9c98" stroke-width="6"/><rect x="510" y="570" width="220" height="120" fill="#33383b"/>
  <g fill="#333"><circle cx="540" cy="535" r="13"/><circle cx="590" cy="535" r="13"/><circle cx="650" cy="535" r="13"/><circle cx="700" cy="535" r="13"/></g>
  <path d="M300 470v-60q0-36 36-36t36 36" fill="none" stroke="#8f979b" stroke-width="12"/></svg>`

let received = 0

async function writeIn(
  product: Product,
  from: string,
  profileName: string,
  body: string,
  media: { bytes: Uint8Array; contentType: string }[] = [],
) {
  received += 1
  await sendInboundWhatsApp({
    carrier: product.carrier,
    webhookUrl: `${product.publicBaseUrl}/webhook/whatsapp/twilio`,
    ...{ from, to: WHATSAPP_SENDER, body, profileName, media },
  })
  await eventually(
    async () =>
      (await product.trpc().messages.list.query({ direction: 'in' })).items.some((each) => each.body === body),
    `the message ${received}`,
  )
}

/** A caller who says these sentences, each spoken and written; answers the call's id. */
async function callIn(
  product: Product,
  from: string,
  language: 'he' | 'en',
  said: [spoken: string, written: string][],
) {
  const script = [
    ...(await Promise.all(said.map(async ([spoken]) => ({ say: await speak(spoken, language) })))),
    { hangup: true as const, when: { afterMs: 4_500 } },
  ]
  await product.call({
    from,
    to: SANDBOX_NUMBERS[language],
    script,
    maxSeconds: 60,
    connectBaseUrl: product.publicBaseUrl,
  })
  const call = await eventually(
    async () =>
      (await product.trpc().calls.list.query({})).items.find((each) => each.from === from && each.state === 'ended'),
    'the call',
  )
  const { turns } = await product.trpc().calls.get.query({ id: call.id })
  for (const [index, turn] of turns.filter(({ role }) => role === 'caller').entries())
    await product.sql`update call_turns set text = ${said[index]?.[1] ?? ''} where call_id = ${call.id} and start_ms = ${turn.startMs} and role = 'caller'`
  await eventually(
    async () => (await product.trpc().calls.audio.query({ id: call.id })).state === 'ready',
    'the audio',
    60_000,
  )
  return { id: call.id, contactId: call.contactId ?? '' }
}

/** A moment some days from now, on the clock of the machine. */
function at(days: number, hour: number, minute = 0): string {
  const date = new Date()
  date.setDate(date.getDate() + days)
  date.setUTCHours(hour - 2, minute, 0, 0)
  return date.toISOString()
}

async function liveADay(product: Product) {
  const api = product.trpc()
  await api.businesses.update.mutate({ paymentProvider: 'paypal' })
  const photo = new Uint8Array(await sharp(Buffer.from(KITCHEN)).jpeg({ quality: 88 }).toBuffer())
  const moshe = await callIn(product, MOSHE, 'he', [
    ['שְׁמִי מֹשֶׁה כֹּהֵן', 'שמי משה כהן'],
    ['אֲנִי רוֹצֶה מִטְבָּח חָדָשׁ לְדִירָה בְּחֵיפָה', 'אני רוצה מטבח חדש לדירה בחיפה'],
    ['מָחָר בַּבֹּקֶר', 'מחר בבוקר'],
  ])
  await api.contacts.update.mutate({ id: moshe.contactId, name: 'משה כהן' })
  await writeIn(product, MOSHE, 'משה כהן', 'שלום, דיברתי קודם עם הנציגה. ככה המטבח נראה היום', [
    { bytes: photo, contentType: 'image/jpeg' },
  ])
  await api.messages.send.mutate({
    to: MOSHE,
    text: 'תודה משה! נשמח לבוא למדוד ביום ראשון ב-10:00. מתאים?',
    provider: 'twilio',
  })
  await writeIn(product, MOSHE, 'משה כהן', 'מתאים מאוד, תודה! הכתובת: שדרות הנשיא 12')
  await api.appointments.create.mutate({
    startsAt: at(2, 10),
    minutes: 60,
    phone: MOSHE,
    name: 'משה כהן',
    note: 'מדידה',
  })
  await api.payments.request.mutate({ contact: MOSHE, amount: 35_000, description: 'ביקור ומדידה' })

  await api.businesses.update.mutate({ name: 'Dana Kitchens' })
  await api.businesses.addNumber.mutate({ number: SANDBOX_NUMBERS.en, language: 'en' })
  // What is said first is rendered once for a new name.
  await Bun.sleep(8_000)
  const emma = await callIn(product, EMMA, 'en', [
    ['My name is Emma Cole', 'My name is Emma Cole'],
    ['I would like a quote for a kitchen island', 'I would like a quote for a kitchen island'],
    ['Tomorrow after four', 'Tomorrow after four'],
  ])
  await api.businesses.update.mutate({ name: 'מטבחי דנה' })
  await api.contacts.update.mutate({ id: emma.contactId, name: 'Emma Cole' })
  await writeIn(product, EMMA, 'Emma Cole', 'Hi, do you also do kitchen islands? Around 2 × 1 m.')
  for (const [phone, name, text] of [
    ['+972523334455', 'נועה ברק', 'מתי אפשר לבוא לאולם התצוגה?'],
    ['+972505556677', 'אבי מזרחי', 'קיבלתי את ההצעה, חוזר אליכם מחר'],
    ['+972547778899', 'שירה לוי', 'הידית של המגירה התרופפה, אפשר לקבל אחת חדשה?'],
    ['+972528889900', 'יוסי פרץ', 'תודה רבה, יצא מקסים!'],
  ] as const)
    await writeIn(product, phone, name, text)
  for (const [name, inquiry, stage, valueAgorot] of [
    ['נועה ברק', 'מטבח כפרי, דירת 4 חדרים', 'contacted', 4_800_000],
    ['אבי מזרחי', 'החלפת חזיתות ומשטח', 'contacted', 1_650_000],
    ['שירה לוי', 'ארון אמבטיה לפי מידה', 'qualified', 720_000],
    ['יוסי פרץ', 'מטבח לבן עם אי', 'won', 6_200_000],
  ] as const) {
    const { id } = await api.leads.create.mutate({ name, inquiry })
    await api.leads.update.mutate({ id, valueAgorot })
    await api.leads.move.mutate({ id, stage })
  }
  for (const [days, hour, minutes, name] of [
    [0, 9, 60, 'שירה לוי'],
    [0, 12, 90, 'אבי מזרחי'],
    [0, 15, 60, 'נועה ברק'],
    [-1, 11, 60, 'יוסי פרץ'],
    [1, 10, 60, 'רות אלון'],
    [-2, 13, 90, 'דוד שגב'],
    [-3, 10, 60, 'תמר גל'],
  ] as const) {
    if (days < 0)
      await product.sql`insert into appointments (id, business_id, starts_at, ends_at, name, state, confirmed_at) select gen_random_uuid(), ${product.businessId}, ${at(days, hour)}, ${at(days, hour)}::timestamptz + ${minutes} * interval '1 minute', ${name}, 'booked', now()`
    else
      await api.appointments.create.mutate({
        startsAt: at(days, hour),
        minutes,
        name,
        phone: `+97253${1_000_000 + hour}`,
      })
  }
  const { revision } = await api.receptionist.draft.query()
  await api.receptionist.saveDraft.mutate({
    revision,
    settings: {
      greeting: { en: 'Hello, this is Dana Kitchens. How can we help?' },
      instructions: 'Ask for the city and the size of the kitchen.',
    },
  })
  const saved = await api.receptionist.draft.query()
  await api.receptionist.publishDraft.mutate({ revision: saved.revision })
  const next = await api.receptionist.draft.query()
  await api.receptionist.saveDraft.mutate({
    revision: next.revision,
    settings: {
      ...next.settings,
      greeting: { en: 'Hello, this is Dana Kitchens in Haifa. How can we help you today?' },
      instructions: 'Ask for the city, the size of the kitchen and when to call back.',
    },
    saveTexts: [{ title: 'Showroom', body: 'HaNamal 24, Haifa. Sunday to Friday.' }],
  })
  return { moshe, emma }
}

type Shot = { name: string; path: string; language: 'he' | 'en'; width: number; ready(page: Page): Promise<unknown> }

async function openPage(browser: Browser, product: Product, { path, language, width, ready }: Omit<Shot, 'name'>) {
  const context = await browser.newContext({
    viewport: { width, height: width < 500 ? 740 : 800 },
    locale: language === 'he' ? 'he-IL' : 'en-GB',
    timezoneId: 'Asia/Jerusalem',
    reducedMotion: 'reduce',
    deviceScaleFactor: width < 500 ? 1.5 : 1,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  await page.goto(product.publicBaseUrl + path)
  await ready(page)
  await page.waitForLoadState('networkidle')
  await page.evaluate(() => document.fonts.ready)
  const bytes = await page.screenshot()
  await context.close()
  return bytes
}

/** As few bytes as a picture of a screen needs. */
const keep = async (name: string, picture: Buffer) => {
  const path = join(values.into, `${name}.png`)
  const { size } = await sharp(picture)
    .png({ palette: true, quality: 90, compressionLevel: 9, effort: 10 })
    .toFile(path)
  console.log(`${path}  ${Math.round(size / 1000)} KB`)
}

async function takeAll(product: Product, browser: Browser) {
  // These need no day.
  if (values.only === 'queues' || values.only === 'pay-page') return await takeBoardAndPayPage(product, browser)
  const { moshe, emma } = await liveADay(product)
  const thread = async (page: Page) => {
    await page.getByRole('log').getByRole('img').first().waitFor()
    await page.getByRole('log').getByText('שדרות הנשיא').waitFor()
  }
  const call = (page: Page) => page.getByRole('slider').waitFor()
  const region = (page: Page) => page.getByRole('region').nth(2).waitFor()
  const card = (page: Page) => page.getByText('שירה לוי').first().waitFor({ state: 'attached' })
  const shots: Shot[] = [
    {
      name: 'console-he',
      path: `/console/inbox?contact=${moshe.contactId}`,
      language: 'he',
      width: 1280,
      ready: thread,
    },
    { name: 'console-en', path: `/console/calls/${emma.id}`, language: 'en', width: 1280, ready: call },
    { name: 'console-today', path: '/console/today', language: 'he', width: 1280, ready: region },
    { name: 'console-leads', path: '/console/leads', language: 'he', width: 1280, ready: card },
    { name: 'console-calendar', path: '/console/calendar?view=week', language: 'he', width: 1280, ready: card },
    {
      name: 'console-receptionist',
      path: '/console/settings?part=receptionist&tab=difference',
      language: 'en',
      width: 1280,
      ready: (page) => page.locator('ins').first().waitFor(),
    },
  ]
  for (const shot of shots.filter(({ name }) => !values.only || name === values.only))
    await keep(shot.name, await openPage(browser, product, shot))
  await takeBoardAndPayPage(product, browser)
  if (values.only && values.only !== 'console-phone') return
  const phones = []
  for (const [path, ready] of [
    ['/console/today', region],
    [`/console/inbox?contact=${moshe.contactId}`, thread],
    [`/console/calls/${moshe.id}`, call],
  ] as const)
    phones.push(await openPage(browser, product, { path, language: 'he', width: 360, ready }))
  const [width, height, gap] = [540, 1110, 30]
  await keep(
    'console-phone',
    await sharp({ create: { width: 3 * width + 2 * gap, height, channels: 4, background: '#ffffff00' } })
      // The day begins at the right.
      .composite(phones.map((input, index) => ({ input, top: 0, left: (2 - index) * (width + gap) })))
      .png()
      .toBuffer(),
  )
}

/** Pages of their own, outside the console: the board of the queues, and the payment page as it is asked, paid, and in English. */
async function takeBoardAndPayPage(product: Product, browser: Browser) {
  await product.trpc().businesses.update.mutate({ paymentProvider: 'paypal' })
  await writeIn(product, EMMA, 'Emma Stone', 'Are you open on Friday?')
  const view = { path: '/admin/queues', language: 'en', width: 1200 } as const
  const queues = (page: Page) => page.getByRole('link', { name: 'whatsapp' }).first().waitFor()
  if (!values.only || values.only === 'queues')
    await keep('queues', await openPage(browser, product, { ...view, ready: queues }))
  if (values.only && values.only !== 'pay-page') return
  const request = { contact: EMMA, amount: 129_990, description: 'תיקון דלתות במטבח, כולל חלקים' }
  const open = await product.trpc().payments.request.mutate(request)
  const paid = await product.trpc().payments.request.mutate({ ...request, contact: MOSHE })
  await product.sql`update payments set state = 'paid', paid_at = now(), next_check_at = null where id = ${paid.id}`
  const pages = []
  for (const [id, language] of [
    [open.id, 'he'],
    [paid.id, 'he'],
    [open.id, 'en'],
  ] as const)
    pages.push(
      await openPage(browser, product, {
        ...{ path: `/pay/${id}?lang=${language}`, language, width: 360 },
        ready: (page) => page.getByRole('main').waitFor(),
      }),
    )
  const [width, height, gap] = [540, 860, 30]
  const cut = await Promise.all(pages.map((page) => sharp(page).extract({ left: 0, top: 0, width, height }).toBuffer()))
  await keep(
    'pay-page',
    await sharp({ create: { width: 3 * width + 2 * gap, height, channels: 4, background: '#ffffff00' } })
      .composite(cut.map((input, index) => ({ input, top: 0, left: index * (width + gap) })))
      .png()
      .toBuffer(),
  )
}

if (import.meta.main) {
  const product = await startConsoleProduct({
    // The board shows the queues of Redis.
    queue: 'redis',
    env: {
      BUSINESS_NAME: 'מטבחי דנה',
      PAYPAL_CLIENT_ID: 'c',
      PAYPAL_CLIENT_SECRET: 's',
      PAYPAL_WEBHOOK_ID: 'WH-1',
      PAYPAL_API_BASE_URL: 'http://127.0.0.1:9',
    },
    carrier: { statusDelaysMs: { queued: 2, sent: 10, delivered: 20, read: 30 } },
  })
  const browser = await openBrowser()
  try {
    await takeAll(product, browser)
  } finally {
    await endSpeech()
    await browser.close()
    await product.stop()
    await runCleanups()
  }
  process.exit(0)
}
