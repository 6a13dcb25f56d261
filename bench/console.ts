/**
 * The console beside its floors, in one run, in a real Chromium on a really started product with many conversations:
 *
 *   bun bench/console.ts [--conversations 10000] [--runs 7]
 *
 * First usable inbox beside an empty page; the work of the main thread for a frame of scrolling; frames dropped while the whole
 * list is scrolled beside an empty page of that height; route changes and an optimistic send beside a page that changes its text; sizes of JavaScript. A missed goal is marked, and
 * the exit code is 1.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { openBrowser } from '../test/support/browser.ts'
import { runCleanups } from '../test/support/cleanup.ts'
import { startConsoleProduct } from '../test/support/console.ts'
import { scrollFrames, workPerFrame } from '../test/support/frame-work.ts'
import { fillConversations } from '../test/support/many-conversations.ts'
import type { Product } from '../test/support/product.ts'

const { values } = parseArgs({
  options: { conversations: { type: 'string', default: '10000' }, runs: { type: 'string', default: '7' } },
})
const CONVERSATIONS = Number(values.conversations)
const RUNS = Number(values.runs)
const ROW_HEIGHT = 76
/** Pixels in each frame: a hard fling, and a screen of rows, faster than any hand. */
const STEPS = { fling: 120, screens: 600 }
const FLING_FRAMES = 600
const WIDTHS = { desktop: 1280, phone: 360 }
const SCREENS = ['today', 'inbox', 'live', 'calls', 'leads', 'contacts', 'calendar', 'payments', 'stats', 'settings']
const GOALS = { inboxMs: 1_000, routeMs: 100, frameMs: 16, sendMs: 100, firstLoadBytes: 200_000 }

let missed = 0

function median(samples: number[]): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN
}

function print(what: string, ours: number, floor: number | null, unit: string, goal?: number) {
  const show = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en')} ${unit}`
  const isMissed = goal !== undefined && ours > goal
  if (isMissed) missed += 1
  const beside = floor === null ? '' : `floor ${show(floor).padStart(10)}  ratio ${(ours / floor).toFixed(1)}`
  const goalText = goal === undefined ? '' : `goal ${show(goal)}${isMissed ? '  MISSED' : ''}`
  console.log(`  ${what.padEnd(34)}${show(ours).padStart(12)}  ${beside.padEnd(34)}${goalText}`)
}

/** A page without anything of ours, of the same origin and the height of the list. */
function serveEmptyPage() {
  const html = `<!doctype html><title>.</title><button id=b>.</button><p id=p></p>
    <div id=list style="height:600px;overflow:auto"><div style="height:${CONVERSATIONS * ROW_HEIGHT}px"></div></div>`
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => new Response(html, { headers: { 'content-type': 'text/html' } }),
  })
}

const newPage = async (browser: Browser, width: number) => {
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    locale: 'he-IL',
    reducedMotion: 'reduce',
    // For the conditions that `timeOf` gives the page as text.
    bypassCSP: true,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  return page
}

/** From the start of the navigation until the selector matches, in a browser that has nothing stored. */
async function timeToShow(browser: Browser, url: string, width: number, selector: string): Promise<number> {
  const page = await newPage(browser, width)
  await page.addInitScript((wanted) => {
    const look = () => {
      if (document.querySelector(wanted)) Object.assign(window, { shownAt: performance.now() })
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  }, selector)
  await page.goto(url)
  const handle = await page.waitForFunction(() => Reflect.get(window, 'shownAt') as number | undefined)
  const shownAt = Number(await handle.jsonValue())
  await page.context().close()
  return shownAt
}

type Scrolled = { frames: number; dropped: number; worstMs: number }

/** Scrolls an element to its end, a step in each frame. A frame is dropped for each further 60th of a second that one takes. */
function scrollThrough(
  page: Page,
  selector: string,
  height: number,
  { step, most }: { step: number; most: number },
): Promise<Scrolled> {
  return page.locator(selector).evaluate(
    async (element, { step, height, most }) => {
      const frame = () => new Promise<number>(requestAnimationFrame)
      let [frames, dropped, worst, still] = [0, 0, 0, 0]
      let last = await frame()
      const isThrough = () =>
        step > 0 ? element.scrollTop + element.clientHeight >= height - 1 : element.scrollTop <= 0
      while (!isThrough() && still < 600 && frames < most) {
        const before = element.scrollTop
        element.scrollBy(0, step)
        // The next page of the list is on its way.
        still = element.scrollTop === before ? still + 1 : 0
        const now = await frame()
        frames += 1
        dropped += Math.max(0, Math.round((now - last) / (1_000 / 60)) - 1)
        worst = Math.max(worst, now - last)
        last = now
      }
      return { frames, dropped, worstMs: worst }
    },
    { step, height, most },
  )
}

/** From a press in the page until its condition holds in a painted frame. */
async function timeOf(page: Page, press: () => Promise<unknown>, event: string, isShown: string): Promise<number> {
  await page.evaluate(
    ({ event, isShown }) => {
      const holds = new Function(`return (${isShown})`) as () => boolean
      Object.assign(window, { took: undefined })
      addEventListener(
        event,
        ({ timeStamp }) => {
          const look = () => {
            if (holds()) Object.assign(window, { took: performance.now() - timeStamp })
            else requestAnimationFrame(look)
          }
          requestAnimationFrame(look)
        },
        { capture: true, once: true },
      )
    },
    { event, isShown },
  )
  await press()
  const handle = await page.waitForFunction(() => Reflect.get(window, 'took') as number | undefined)
  return Number(await handle.jsonValue())
}

async function benchWidth(product: Product, browser: Browser, empty: string, name: string, width: number) {
  console.log(`\n${name}, ${width} pixels`)
  const inbox = `${product.publicBaseUrl}/console/inbox`
  const [ours, floor]: number[][] = [[], []]
  for (let run = 0; run < RUNS; run += 1) {
    ours?.push(await timeToShow(browser, inbox, width, '[role=option]'))
    floor?.push(await timeToShow(browser, empty, width, '#list'))
  }
  print('first usable inbox', median(ours ?? []), median(floor ?? []), 'ms', GOALS.inboxMs)

  const blank = await newPage(browser, width)
  await blank.goto(empty)
  const page = await newPage(browser, width)
  await page.goto(inbox)
  await page.getByRole('option').first().waitFor()
  await page.bringToFront()
  // Before the whole list is loaded: what a frame costs must not depend on that.
  for (const [how, step] of Object.entries(STEPS)) {
    const work = await workPerFrame(page, () => scrollFrames(page, '[role=listbox]', step, 120))
    const parts = `script ${work.scriptMs.toFixed(1)}, style ${work.styleMs.toFixed(1)}, layout ${work.layoutMs.toFixed(1)}`
    print(
      `main thread, ${how} (${parts})`,
      work.taskMs,
      null,
      'ms',
      how === 'fling' ? GOALS.frameMs : 2 * GOALS.frameMs,
    )
  }
  await page.locator('[role=listbox]').evaluate((element) => element.scrollTo(0, 0))
  const height = CONVERSATIONS * ROW_HEIGHT
  for (const [how, step, most] of [
    ['whole list, by screens', STEPS.screens, Number.MAX_SAFE_INTEGER],
    ['back up, a fling', -STEPS.fling, FLING_FRAMES],
  ] as const) {
    await page.bringToFront()
    const ours = await scrollThrough(page, '[role=listbox]', height, { step, most })
    await blank.bringToFront()
    const bare = await scrollThrough(blank, '#list', height, { step, most })
    const share = ({ dropped, frames }: Scrolled) => `${dropped} of ${frames + dropped}`
    console.log(
      `  dropped frames, ${how.padEnd(24)}${share(ours).padStart(14)}  floor ${share(bare)}  (worst ${Math.round(ours.worstMs)} ms, floor ${Math.round(bare.worstMs)} ms)`,
    )
  }
  const swap = async () =>
    timeOf(
      blank,
      () => blank.click('#b'),
      'click',
      "document.querySelector('#p').textContent = String(performance.now())",
    )
  const swaps: number[] = []
  for (let run = 0; run < RUNS; run += 1) swaps.push(await swap())
  await page.bringToFront()
  await benchRoutes(page, median(swaps))
  await benchSend(page, inbox, median(swaps))
  await page.context().close()
  await blank.context().close()
}

/** Each screen by its link in the navigation, visited once before; shown when its heading stands and nothing loads. */
async function benchRoutes(page: Page, floor: number) {
  const times = new Map<string, number[]>()
  const headings = new Map<string, string>()
  for (const screen of SCREENS) {
    await page
      .locator(`nav a[href$="/console/${screen}"]`)
      .first()
      .evaluate((element: HTMLElement) => element.click())
    await page.waitForURL((url) => url.pathname.endsWith(`/${screen}`))
    await page.waitForLoadState('networkidle')
    headings.set(screen, (await page.locator('main h1').first().textContent()) ?? '')
  }
  for (let run = 0; run < RUNS; run += 1)
    for (const screen of SCREENS) {
      const link = page.locator(`nav a[href$="/console/${screen}"]`).first()
      const isShown = `location.pathname.endsWith('/${screen}') && document.querySelector('main h1')?.textContent === ${JSON.stringify(headings.get(screen))} &&
        ![...document.querySelectorAll('main [role=status]')].some((each) => /^(טוען…|Loading…)$/.test(each.textContent))`
      const took = await timeOf(page, () => link.evaluate((element: HTMLElement) => element.click()), 'click', isShown)
      times.set(screen, [...(times.get(screen) ?? []), took])
    }
  for (const [screen, took] of times) print(`to ${screen}`, median(took), floor, 'ms', GOALS.routeMs)
}

/** From Enter to the bubble in the thread; the server answers later. */
async function benchSend(page: Page, inbox: string, floor: number) {
  await page.goto(inbox)
  await page.getByRole('option').nth(1).click()
  const composer = page.locator('#composer')
  await composer.waitFor()
  const times: number[] = []
  for (let run = 0; run < RUNS; run += 1) {
    const text = `רגע, בודק ${run}`
    await composer.fill(text)
    await page.getByRole('button', { name: 'שליחה', disabled: false }).waitFor()
    const isShown = `[...document.querySelectorAll('[role=log] [role=article], [role=log] article')].some((each) => each.textContent.includes('${text}'))`
    times.push(await timeOf(page, () => page.keyboard.press('Enter'), 'keydown', isShown))
  }
  print('Enter to the bubble', median(times), floor, 'ms', GOALS.sendMs)
}

async function benchSizes(product: Product, browser: Browser) {
  console.log('\nJavaScript, compressed (br)')
  const folder = join(import.meta.dir, '../dist/console/assets')
  const all = readdirSync(folder).filter((file) => file.endsWith('.js.br'))
  const sum = all.reduce((bytes, file) => bytes + statSync(join(folder, file)).size, 0)
  for (const screen of ['inbox', 'today', 'calls', 'leads', 'calendar', 'settings', 'stats']) {
    const page = await newPage(browser, WIDTHS.desktop)
    const sizes: Promise<number>[] = []
    page.on('requestfinished', (request) => {
      if (new URL(request.url()).pathname.endsWith('.js'))
        sizes.push(request.sizes().then(({ responseBodySize }) => responseBodySize))
    })
    await page.goto(`${product.publicBaseUrl}/console/${screen}`)
    await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' })
    await page.waitForLoadState('networkidle')
    const bytes = (await Promise.all(sizes)).reduce((total, each) => total + each, 0)
    print(`first load of ${screen}`, bytes, null, 'bytes', GOALS.firstLoadBytes)
    await page.context().close()
  }
  print(`all ${all.length} files`, sum, null, 'bytes')
}

if (import.meta.main) {
  const product = await startConsoleProduct({
    prepare: ({ db }, businessId) => fillConversations(db, businessId, CONVERSATIONS),
  })
  const browser = await openBrowser()
  const empty = serveEmptyPage()
  try {
    console.log(`${CONVERSATIONS.toLocaleString('en')} conversations, median of ${RUNS} runs`)
    for (const [name, width] of Object.entries(WIDTHS)) await benchWidth(product, browser, empty.url.href, name, width)
    await benchSizes(product, browser)
  } finally {
    await empty.stop(true)
    await browser.close()
    await product.stop()
    await runCleanups()
  }
  if (missed > 0) console.log(`\n${missed} goals were missed.`)
  process.exit(missed > 0 ? 1 : 0)
}
