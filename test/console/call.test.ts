import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { readWav } from '../../src/audio/wav.ts'
import { judge, startConsole, VIEWS } from '../support/console.ts'
import { eventually } from '../support/product.ts'
import { endSpeech, speak } from '../support/speech.ts'

let at: Awaited<ReturnType<typeof startConsole>>
let callId: string

beforeAll(async () => {
  at = await startConsole()
  const { product } = at
  await product.call({
    script: [
      { say: await speak('My name is Dana Levi', 'en') },
      { say: await speak('I want a new kitchen and I am in a hurry', 'en'), when: 'barge_in', bargeInMs: 900 },
      { hangup: true, when: { afterMs: 1_500 } },
    ],
    connectBaseUrl: product.publicBaseUrl,
    maxSeconds: 30,
  })
  const [call] = (await product.trpc().calls.list.query({})).items
  callId = call?.id ?? ''
  await eventually(
    async () => (await product.trpc().calls.audio.query({ id: callId })).state === 'ready',
    'the audio of the call',
    60_000,
  )
}, 180_000)
afterAll(async () => {
  await endSpeech()
  await at.stop()
})

const position = async (page: Page) => Number(await page.getByRole('slider').getAttribute('aria-valuenow'))

for (const { language, width } of VIEWS)
  test(`the call page in ${language} at ${width} pixels: whole, without a finding of axe`, async () => {
    const { page, problems } = await at.show(`/calls/${callId}`, { language, width })
    await page.getByRole('slider').waitFor()
    await page.getByRole('heading', { level: 2 }).nth(2).waitFor()
    await judge(page, `call-page-${language}-${width}`, problems)
  }, 60_000)

test('the waveform shows both sides, drawn in both colours, from left to right also in Hebrew', async () => {
  const { page, problems, close } = await at.open(`/calls/${callId}`)
  const canvas = page.locator('canvas')
  await canvas.waitFor()
  const seen = await eventually(
    async () => {
      const rows = await canvas.evaluate((element) => {
        const { width, height } = element as HTMLCanvasElement
        const { data } = (element as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height) ?? {
          data: [],
        }
        const colors = (from: number, to: number) => {
          let painted = 0
          let green = 0
          for (let y = Math.floor(height * from); y < height * to; y++)
            for (let x = 0; x < width; x++)
              if ((data[(y * width + x) * 4 + 3] ?? 0) > 60) {
                painted++
                // The accent is green, the other side is grey.
                if ((data[(y * width + x) * 4 + 1] ?? 0) > (data[(y * width + x) * 4] ?? 0) + 40) green++
              }
          return { painted, green }
        }
        return { above: colors(0.2, 0.5), below: colors(0.62, 0.95) }
      })
      return rows.above.painted > 500 && rows.below.painted > 500 ? rows : null
    },
    'both sides to be drawn',
    10_000,
  )
  expect(seen.above.green).toBe(0)
  expect(seen.below.green).toBeGreaterThan(300)
  const box = await page.getByRole('slider').boundingBox()
  await page.mouse.click((box?.x ?? 0) + (box?.width ?? 0) * 0.9, (box?.y ?? 0) + 60)
  const { durationMs } = await at.product.trpc().calls.audio.query({ id: callId })
  expect(Math.abs((await position(page)) - (durationMs / 1000) * 0.9)).toBeLessThan(2)
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('a turn that is pressed plays there and is marked; space stops, arrows jump, the speed changes', async () => {
  const { page, problems, close } = await at.open(`/calls/${callId}`)
  const { turns } = await at.product.trpc().calls.get.query({ id: callId })
  const third = turns[2]
  const items = page.getByRole('list').filter({ has: page.getByRole('button', { name: /המתקשר/ }) })
  const buttons = items.getByRole('button', { name: /הסוכן|המתקשר/ })
  await buttons.nth(2).click()
  await items.locator('[aria-current=true]').waitFor()
  await page.getByText('מושמע').waitFor()
  const started = await position(page)
  expect(Math.abs(started - (third?.startMs ?? 0) / 1000)).toBeLessThan(3)
  await eventually(
    () =>
      page.evaluate(
        (from) => (document.querySelector<HTMLAudioElement>('section audio')?.currentTime ?? 0) > from,
        (third?.startMs ?? 0) / 1000 + 0.3,
      ),
    'the audio to go on',
    10_000,
  )
  // The focus leaves the button, which has the space key for itself.
  await page.locator('h1').click()
  await page.keyboard.press('Space')
  await page.getByRole('button', { name: 'השמעה', exact: true }).waitFor()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowLeft')
  await eventually(async () => (await position(page)) === 0, 'the beginning', 5_000)
  await page.keyboard.press('ArrowRight')
  await eventually(async () => (await position(page)) === 5, 'five seconds', 5_000)
  await page.getByLabel('מהירות').selectOption('2')
  expect(await page.evaluate(() => document.querySelector<HTMLAudioElement>('section audio')?.playbackRate)).toBe(2)
  await page.getByRole('slider').focus()
  await page.keyboard.press('Home')
  await page.keyboard.press('Space')
  await page.getByRole('button', { name: 'עצירה', exact: true }).waitFor()
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('what was cut off is struck, the interruption is marked, and answers say how long the caller waited', async () => {
  const { page, close } = await at.open(`/calls/${callId}`, { language: 'en' })
  await page
    .getByText(/answered in \d/)
    .first()
    .waitFor()
  await page.getByText('Interrupted: what is struck through was not heard').first().waitFor()
  expect(((await page.locator('s').first().textContent()) ?? '').trim().length).toBeGreaterThan(3)
  await page.getByText('Caller interrupted').waitFor()
  await page.getByText('The caller hung up.').waitFor()
  await close()
}, 60_000)

test('the summary is written by hand, and stays', async () => {
  const { page, problems, close } = await at.open(`/calls/${callId}`, { language: 'en' })
  const section = page.getByRole('region', { name: 'Summary' })
  await section.getByRole('button', { name: 'Edit' }).click()
  await section.getByLabel('Summary').fill('דנה רוצה מטבח חדש')
  await section.getByLabel('Name').fill('Dana Levi')
  await judge(page, 'call-summary-form-en-1280', problems)
  await section.getByRole('button', { name: 'Save' }).click()
  await section.getByText('Written by a person').waitFor()
  expect(await at.product.trpc().calls.summary.query({ id: callId })).toMatchObject({
    summary: 'דנה רוצה מטבח חדש',
    madeBy: 'member',
    fields: { name: 'Dana Levi' },
  })
  await close()
}, 60_000)

test('the call is lived through again, and its audio and trace are downloaded', async () => {
  const { page, problems, close } = await at.open(`/calls/${callId}`, { language: 'en' })
  await page.getByRole('button', { name: 'Replay' }).click()
  await page.getByText(/All \d+ decisions are the same/).waitFor()
  const [audio] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download audio' }).click(),
  ])
  expect(readWav(readFileSync(await audio.path()))).toMatchObject({ channels: 2, sampleRate: 8_000 })
  const [trace] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download trace' }).click(),
  ])
  expect(readFileSync(await trace.path(), 'utf8')).toContain('"kind":"start"')
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('the audio is served by ranges to whoever may read the call, and to no one else', async () => {
  const path = `/api/v1/calls/${callId}/audio`
  const part = await at.product.api(path, { headers: { range: 'bytes=100-199' } })
  expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 100])
  expect((await at.product.api(path, { key: 'wrong' })).status).toBe(401)
})

test('a voicemail is drawn and played on its waveform; once played it is heard', async () => {
  const { product } = at
  await product.call({
    from: '+972501111104',
    script: [
      { wait: 2_000 },
      { dtmf: '0', when: 'barge_in' },
      { say: await speak('Please call me back about the garden.', 'en'), quietMs: 1_500 },
      { dtmf: '#', when: 'now' },
    ],
    connectBaseUrl: product.publicBaseUrl,
    maxSeconds: 30,
  })
  const recording = await eventually(
    async () => (await product.trpc().recordings.list.query({})).items.find(({ state }) => state === 'stored'),
    'the recording',
    30_000,
  )
  const peaks = await product.trpc().recordings.peaks.query({ id: recording.id })
  expect(Math.max(...peaks.values)).toBeGreaterThan(20)
  expect(Math.abs(peaks.values.length * peaks.stepMs - peaks.durationMs)).toBeLessThan(2 * peaks.stepMs)
  for (const { language, width, play, position, heard } of [
    { language: 'en', width: 1280, play: 'Play the voicemail', position: 'Position in the voicemail', heard: false },
    { language: 'he', width: 360, play: 'השמעת ההודעה', position: 'מיקום בהודעה', heard: true },
  ] as const) {
    const { page, problems, close } = await at.open(`/calls/${recording.callId}`, { language, width })
    const slider = page.getByRole('slider', { name: position })
    await slider.waitFor()
    await judge(page, `voicemail-${language}-${width}`, problems)
    const painted = await slider.locator('canvas').evaluate((element) => {
      const canvas = element as HTMLCanvasElement
      const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] }
      let count = 0
      for (let at = 3; at < data.length; at += 4) if ((data[at] ?? 0) > 60) count++
      return count
    })
    expect(painted).toBeGreaterThan(500)
    if (!heard) {
      expect(recording.heardAt).toBeNull()
      await slider.focus()
      await page.keyboard.press('End')
      await page.keyboard.press('ArrowLeft')
      await page.getByRole('button', { name: play }).click()
      await eventually(
        async () => (await product.trpc().recordings.list.query({ heard: true })).items.length === 1,
        'it to be heard',
      )
    }
    await close()
  }
}, 120_000)
