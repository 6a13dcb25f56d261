import { afterAll, beforeAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { rmsOfMulawBase64 } from '../../src/audio/energy.ts'
import { decodeMulaw, msOfBytes } from '../../src/audio/mulaw.ts'
import { writeWavPcm16 } from '../../src/audio/wav.ts'
import { openBrowser } from '../support/browser.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { judge, openConsole, showPages, startConsoleProduct, VIEWS, type View } from '../support/console.ts'
import { eventually, type Product } from '../support/product.ts'
import { endSpeech, line, speak } from '../support/speech.ts'

const TABS = ['edit', 'difference', 'test', 'scenarios', 'history']

let product: Product
let browser: Browser
let show: ReturnType<typeof showPages>

beforeAll(async () => {
  const microphone = join(temporaryDirectory('microphone'), 'caller.wav')
  // Chromium plays it in a loop, from when the microphone is opened.
  const said = line(6_000, await speak('My name is Dana Levi', 'en'), 4_000)
  writeFileSync(microphone, writeWavPcm16(decodeMulaw(said), 8_000))
  product = await startConsoleProduct()
  browser = await openBrowser([
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-audio-capture=${microphone}`,
    '--autoplay-policy=no-user-gesture-required',
  ])
  show = showPages(product, browser, 2)
}, 120_000)
afterAll(async () => {
  await endSpeech()
  await browser.close()
  await product.stop()
})

const open = (tab: string, view?: View) =>
  openConsole(product, browser, `/settings?part=receptionist&tab=${tab}`, view, 2)

const box = (page: Page, name: string) => page.getByRole('textbox', { name: new RegExp(`^${name}`) })
const live = () => product.trpc().receptionist.get.query()
const draft = () => product.trpc().receptionist.draft.query()

test('written to as by a customer, with every step; its scenarios are played by a worker', async () => {
  const { page, problems, close } = await open('test')
  await page.getByRole('textbox', { name: 'הודעה', exact: true }).fill('יש לי נזילה במטבח')
  await page.getByRole('button', { name: 'שליחה', exact: true }).click()
  const chat = page.getByRole('log', { name: 'צ׳אט ניסיון' })
  await chat.getByText('מה השם').waitFor()
  await chat.getByText('save_lead').click()
  await chat.getByText('"inquiry": "יש לי נזילה במטבח"').waitFor()
  await page.getByRole('textbox', { name: 'הודעה', exact: true }).fill('דנה לוי')
  await page.keyboard.press('Enter')
  await chat.getByText('מתי נוח').waitFor()
  expect((await product.trpc().leads.list.query({})).items).toEqual([])
  expect(problems).toEqual([])
  await close()

  const tab = await open('scenarios')
  await box(tab.page, 'תרחיש חדש').fill(
    'name: leak\nchannels: [chat]\ngiven: {}\nscript: [{send: יש לי נזילה, expect: {replies: 1, says: [מה השם]}}]\n',
  )
  await tab.page.getByRole('button', { name: 'שמירת התרחיש' }).click()
  await tab.page.getByRole('button', { name: 'הרצה עם מה שהמתקשרים שומעים עכשיו' }).click()
  await tab.page.getByText('leak · עבר').waitFor()
  expect((await product.trpc().scenarios.runs.query({})).items).toMatchObject([{ state: 'passed' }])
  expect(tab.problems).toEqual([])
  await tab.close()
})

test('while no one is notified that the staff may listen, a ready notice is offered, and callers hear it once published', async () => {
  const live_ = await openConsole(product, browser, '/live')
  await live_.page.getByText('המתקשרים לא שומעים שצוות העסק עשוי להאזין').waitFor()
  await live_.page.getByRole('link', { name: 'הוספת הודעה לפני הברכה' }).click()
  const notice = box(live_.page, 'נאמר לפני הברכה בעברית')
  await notice.waitFor()
  expect(await notice.inputValue()).toBe('')
  await live_.page.getByRole('button', { name: 'להוסיף נוסח מוכן' }).click()
  expect(await notice.inputValue()).toContain('צוות העסק עשוי להאזין')
  await live_.page.getByText('הטיוטה נשמרה.').waitFor()
  expect((await draft()).settings.consentNotice.en).toContain('our staff may listen')
  await live_.page.getByRole('button', { name: 'מחיקת הטיוטה' }).click()
  await live_.page.getByRole('button', { name: 'להוסיף נוסח מוכן' }).waitFor()
  expect(live_.problems).toEqual([])
  await live_.close()
})

test('drafted, heard, compared, published, restored: callers hear it when it is published, not before', async () => {
  const { page, problems, close } = await open('edit')
  const greeting = page.getByRole('textbox', { name: 'ברכת פתיחה בעברית' })
  await greeting.fill('שלום, הגעתם לפרחי דנה. מי מדבר?')
  await page.getByText('הטיוטה נשמרה.').waitFor()
  expect((await live()).settings.greeting).toEqual({})
  expect((await draft()).settings.greeting).toEqual({ he: 'שלום, הגעתם לפרחי דנה. מי מדבר?' })

  await page.getByRole('button', { name: 'השמעה: ברכת פתיחה בעברית' }).click()
  const length = await page.waitForFunction(() => {
    const audio = document.querySelector<HTMLAudioElement>('[data-testid="greeting-he"]')
    return audio && !audio.paused && audio.currentTime > 0 ? audio.duration : 0
  })
  const spoken = msOfBytes((await speak('שלום, הגעתם לפרחי דנה. מי מדבר?', 'he')).length) / 1_000
  expect(Number(await length.jsonValue())).toBeCloseTo(spoken, 1)

  // Every kind of setting, as a person changes it.
  await page.getByRole('checkbox', { name: 'שישי' }).check()
  await page.getByLabel('יום שישי, עד שעה').fill('13:00')
  await page.getByLabel('תאריך').fill('2027-04-22')
  await page.getByRole('button', { name: 'הוספת חג' }).click()
  await box(page, 'העברה לאדם במספר').fill('03-376-0001')
  await box(page, 'הודעת וואטסאפ למתקשר בעברית').fill('תודה, {name}!')
  await box(page, 'הודעת התא הקולי בעברית').fill('השאירו הודעה.')
  await box(page, 'נאמר לפני הברכה בעברית').fill('השיחה מוקלטת.')
  await box(page, 'כותרת').fill('מחירים')
  await box(page, 'תוכן').fill('זר ב-90 שקלים')
  await page.getByRole('button', { name: 'הוספת טקסט' }).click()
  await eventually(async () => (await draft()).texts.length === 1, 'the text')
  await eventually(async () => (await draft()).settings.transferNumber === '+97233760001', 'the number')
  expect((await draft()).settings).toMatchObject({
    hours: { holidays: ['2027-04-22'], week: { '5': [{ from: '09:00', to: '13:00' }] } },
    followUp: { he: 'תודה, {name}!' },
    voicemail: { he: 'השאירו הודעה.' },
    consentNotice: { he: 'השיחה מוקלטת.' },
  })

  await page.getByRole('button', { name: 'מה השתנה', exact: true }).click()
  await page.getByRole('term').filter({ hasText: 'טקסט: מחירים' }).waitFor()
  await page.getByRole('button', { name: 'פרסום' }).click()
  await page.getByText('גרסה 1 היא מה שהמתקשרים שומעים עכשיו.').waitFor()
  expect(await live()).toMatchObject({ version: 1, settings: { transferNumber: '+97233760001' } })
  expect((await product.trpc().receptionist.texts.query()).items.map(({ title }) => title)).toEqual(['מחירים'])
  const prompt = await product.api(`/prompts/${product.businessId}/he/voicemail.wav`, { key: null })
  expect(prompt.status).toBe(200)

  // One word is changed: one goes, one comes, the rest stays.
  await page.getByRole('button', { name: 'הגדרות', exact: true }).click()
  await greeting.fill('שלום, הגעתם לפרחי רות. מי מדבר?')
  await page.getByText('הטיוטה נשמרה.').waitFor()
  await page.getByRole('button', { name: 'מה השתנה', exact: true }).click()
  expect(await page.locator('del').allInnerTexts()).toEqual(['דנה'])
  expect(await page.locator('ins').allInnerTexts()).toEqual(['רות'])
  await page.getByRole('button', { name: 'פרסום' }).click()
  await page.getByText('גרסה 2 היא מה שהמתקשרים שומעים עכשיו.').waitFor()

  await page.getByRole('button', { name: 'היסטוריה' }).click()
  await page.getByRole('button', { name: 'מה השתנה: גרסה 2' }).click()
  await page.locator('del', { hasText: 'דנה' }).waitFor()
  await page.getByRole('button', { name: 'שחזור גרסה 1' }).click()
  await page.getByText('שוחזר: גרסה 3 היא מה שהמתקשרים שומעים עכשיו.').waitFor()
  expect((await live()).settings.greeting.he).toContain('דנה')

  // A draft that was thrown away comes back.
  await page.getByRole('button', { name: 'הגדרות', exact: true }).click()
  await greeting.fill('טיוטה')
  await page.getByText('הטיוטה נשמרה.').waitFor()
  await page.getByRole('button', { name: 'מחיקת הטיוטה' }).click()
  await page.getByText('הטיוטה נמחקה.').waitFor()
  expect((await draft()).exists).toBe(false)
  await page.getByRole('button', { name: 'ביטול' }).click()
  await eventually(async () => (await draft()).settings.greeting.he === 'טיוטה', 'the draft again')
  await page.getByRole('button', { name: 'מחיקת הטיוטה' }).click()
  await page.getByText('הטיוטה נמחקה.').waitFor()
  expect(problems).toEqual([])
  await close()
}, 120_000)

test('two members edit at once: other fields join, the same field keeps each one’s words and says so', async () => {
  const [first, second] = [await open('edit'), await open('edit', { language: 'en' })]
  await box(first.page, 'הנחיות לסוכן').fill('דברו לאט')
  await box(first.page, 'ברכת פתיחה באנגלית').fill('Hello from the first')
  await box(second.page, 'Greeting in English').waitFor()
  await eventually(
    async () => (await box(second.page, 'Instructions for the agent').inputValue()) === 'דברו לאט',
    'the other’s words',
  )
  // The second does not hear of the first's next change before they type themselves.
  await second.page.route('**/trpc/**', (route) => route.abort())
  await box(first.page, 'ברכת פתיחה באנגלית').fill('Hello from the first again')
  await eventually(async () => (await draft()).settings.greeting.en === 'Hello from the first again', 'the first')
  await box(second.page, 'Greeting in English').fill('Hello from the second')
  await second.page.unroute('**/trpc/**')
  await second.page.getByText(/Someone else changed the same: \u2068?Greeting in English/).waitFor()
  expect(await box(second.page, 'Greeting in English').inputValue()).toBe('Hello from the second')
  await eventually(async () => (await draft()).settings.greeting.en === 'Hello from the second', 'the second')

  // Another version comes into force: the draft takes it in before it is published.
  const { settings, version } = await live()
  await product.trpc().receptionist.save.mutate({ settings: { ...settings, appointmentMinutes: 45 } })
  await second.page.getByRole('button', { name: 'Take its changes' }).click()
  await eventually(async () => !(await draft()).outdated, 'the newer version')
  await second.page.getByRole('button', { name: 'Publish' }).click()
  await second.page.getByText(`Version ${version + 2} is what callers hear now.`).waitFor()
  expect(await live()).toMatchObject({
    settings: { appointmentMinutes: 45, instructions: 'דברו לאט', greeting: { en: 'Hello from the second' } },
  })
  await first.close()
  await second.close()
}, 60_000)

/** Lets the page listen to what it plays, by a meter before the loudspeaker, and keep the audio that it sends. */
const METER = () => {
  const send = WebSocket.prototype.send
  const sent: string[] = []
  Object.assign(window, { sent })
  WebSocket.prototype.send = function (data) {
    const payload = typeof data === 'string' ? /"payload":"([^"]*)"/.exec(data)?.[1] : undefined
    if (payload) sent.push(payload)
    send.call(this, data)
  }
  const connect = AudioNode.prototype.connect as (this: AudioNode, ...args: unknown[]) => unknown
  Object.assign(AudioNode.prototype, {
    connect(this: AudioNode, ...args: unknown[]) {
      if (args[0] instanceof AudioDestinationNode) {
        const meter = this.context.createAnalyser()
        Object.assign(window, { meter })
        connect.call(this, meter)
      }
      return connect.apply(this, args)
    },
  })
}

const loudness = (page: Page) =>
  page.evaluate(() => {
    const meter: unknown = Reflect.get(window, 'meter')
    if (!(meter instanceof AnalyserNode)) return 0
    const samples = new Float32Array(meter.fftSize)
    meter.getFloatTimeDomainData(samples)
    return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length)
  })

test('a test call from the browser: the draft’s greeting is heard, the microphone arrives, the transcript grows', async () => {
  const words = 'Dana Flowers, this is only a draft. Who is speaking?'
  const { revision, settings } = await draft()
  await product
    .trpc()
    .receptionist.saveDraft.mutate({ revision, settings: { ...settings, consentNotice: {}, greeting: { en: words } } })
  const { page, problems, close } = await open('test', { language: 'en' })
  await page.addInitScript(METER)
  await page.reload()
  await page.getByRole('radio', { name: 'English' }).check()
  await page.getByRole('button', { name: 'Call', exact: true }).click()
  await page.getByText('On the line').waitFor()
  await eventually(async () => (await loudness(page)) > 0.01, 'the voice in the loudspeaker')
  const log = page.getByRole('log', { name: 'Transcript' })
  // The turn is written when the last mark came back: all of it was played.
  await log.getByText(words).waitFor()
  const said = log.getByRole('listitem').filter({ hasText: 'You ·' }).first()
  await said.waitFor()
  await page.getByRole('button', { name: 'Mute the microphone' }).click()
  // The agent's answer is a turn of the record once it was played, however late the machine plays it.
  await log.getByRole('listitem').nth(2).waitFor({ timeout: 60_000 })
  await page.getByRole('button', { name: 'Hang up' }).click()
  await page.getByText('The call has ended: you hung up.').waitFor()

  const [listed] = (await product.trpc().calls.list.query({ tests: true })).items
  const call = await eventually(
    async () => {
      const found = await product.trpc().calls.get.query({ id: listed?.id ?? '' })
      return found.state === 'ended' && found.turns.length >= 3 && found
    },
    'the third turn in the record',
    30_000,
  )
  expect(call).toMatchObject({ endReason: 'caller_hung_up', isTest: true })
  const [greeting] = call.turns
  // A caller who thinks for two seconds is not asked again: their turn is the next.
  expect(call.turns.slice(0, 3).map(({ role }) => role)).toEqual(['agent', 'caller', 'agent'])
  const length = (greeting?.endMs ?? 0) - (greeting?.startMs ?? 0)
  expect(greeting?.interrupted).toBe(false)
  expect(Math.abs(length - msOfBytes((await speak(words, 'en')).length))).toBeLessThan(30)
  // Fifty frames of 20 ms a second, silent until the caller speaks.
  const sent = await page.evaluate(() => Reflect.get(window, 'sent') as string[])
  const loud = sent.flatMap((payload, index) => (rmsOfMulawBase64(payload) > 330 ? [index * 20] : []))
  expect(Math.abs(sent.length * 20 - (call.durationMs ?? 0))).toBeLessThan(1_500)
  expect(Math.abs((loud[0] ?? 0) - (call.turns[1]?.startMs ?? 0))).toBeLessThan(600)
  // What the microphone heard came over: speech of that length, to be played.
  const caller = call.turns.find(({ role }) => role === 'caller')
  expect(caller?.hasAudio).toBe(true)
  const spoken = msOfBytes((await speak('My name is Dana Levi', 'en')).length)
  expect(Math.abs((caller?.endMs ?? 0) - (caller?.startMs ?? 0) - spoken)).toBeLessThan(600)
  expect((await product.trpc().leads.list.query({})).items).toEqual([])
  await page.getByRole('link', { name: 'Open this call' }).click()
  await page.waitForURL(/\/calls\/./)
  await page.locator('header').getByText('Test call').waitFor()
  // The transcript asks for the call before its row is written, and asks again.
  expect(problems.filter((problem) => !problem.includes('404'))).toEqual([])
  await close()
}, 180_000)

test('without a microphone the page says what to do', async () => {
  const context = await browser.newContext({ locale: 'he-IL', permissions: [] })
  const page = await context.newPage()
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('denied', 'NotAllowedError'))
  })
  await page.goto(`${product.publicBaseUrl}/console/settings?part=receptionist&tab=test`)
  await page.getByRole('button', { name: 'חיוג' }).click()
  await page.getByText('המיקרופון אינו מורשה').waitFor()
  await page.getByRole('button', { name: 'חיוג' }).waitFor()
  await context.close()
}, 30_000)

for (const { language, width } of VIEWS)
  test(`the receptionist in ${language} at ${width} pixels: nothing sticks out, no finding of axe, no error`, async () => {
    const { revision } = await draft()
    await product.trpc().receptionist.saveDraft.mutate({
      revision,
      settings: { greeting: { he: `טיוטה ${language} ${width}` }, instructions: 'Be kind.\nAsk for the city.' },
      saveTexts: [{ title: 'כתובת', body: 'הרצל 10, חיפה' }],
    })
    for (const tab of TABS) {
      const { page, problems } = await show(`/settings?part=receptionist&tab=${tab}`, { language, width })
      if (tab === 'history') {
        await page.getByRole('button', { expanded: false }).first().click()
        await page.locator('ins, del').first().waitFor()
      }
      await judge(page, `receptionist-${tab}-${language}-${width}`, problems)
      expect(problems).toEqual([])
    }
  }, 90_000)
