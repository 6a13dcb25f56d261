import { expect } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { processEnvironment } from '../../src/config.ts'
import { buildConsole } from '../../src/console/build/build.ts'
import { findFreePort } from '../../src/lib/net.ts'
import { findViolations } from './axe.ts'
import { openBrowser } from './browser.ts'
import { type Product, type ProductOptions, startProduct } from './product.ts'
import { testSeed } from './seed.ts'

const PHONE = 360
const DESKTOP = 1280
const HEIGHT = 800
export type View = {
  language?: 'he' | 'en'
  width?: number
  /** What the page may do; all else is denied then. */
  permissions?: string[]
  context?: BrowserContext
  /** Changes the context before the page is opened. */
  prepare?: (context: BrowserContext) => Promise<void>
}
export type ShownView = { language: 'he' | 'en'; width: number }

/** Both languages and both widths in two of their four pairs; the seed of the run chooses which two. */
export const VIEWS: readonly ShownView[] =
  testSeed() % 2 === 0
    ? [
        { language: 'he', width: PHONE },
        { language: 'en', width: DESKTOP },
      ]
    : [
        { language: 'he', width: DESKTOP },
        { language: 'en', width: PHONE },
      ]
export type Shown = { page: Page; problems: string[] }
export type Opened = { context: BrowserContext; page: Page; problems: string[]; close(): Promise<void> }

export type ConsoleFixture = {
  product: Product
  browser: Browser
  newContext(view?: View): Promise<BrowserContext>
  /** Opens a path below `/console` and waits for its heading. */
  open(path: string, view?: View): Promise<Opened>
  /** Loads a path in the page that stays open for a language. */
  show(path: string, view: ShownView): Promise<Shown>
  stop(): Promise<void>
}

/** A product that serves the built console at an address that a browser reaches as its own machine's. */
export async function startConsoleProduct(options: Partial<ProductOptions> = {}): Promise<Product> {
  await buildConsole(join(import.meta.dir, '../../dist/console'))
  const port = String(await findFreePort('127.0.0.1'))
  return await startProduct({
    queue: 'postgres',
    ...options,
    env: { PORT: port, PUBLIC_BASE_URL: `http://localhost:${port}`, ...options.env },
  })
}

/** The same, and a browser. */
export async function startConsole(options: Partial<ProductOptions> = {}): Promise<ConsoleFixture> {
  const product = await startConsoleProduct(options)
  const browser = await openBrowser()
  return {
    product,
    browser,
    newContext: (view = {}) => newContext(browser, view),
    open: (path, view) => openConsole(product, browser, path, view),
    show: showPages(product, browser),
    async stop() {
      await browser.close()
      await product.stop()
    },
  }
}

function newContext(
  browser: Browser,
  { language = 'he', width = DESKTOP, permissions }: View,
): Promise<BrowserContext> {
  return browser.newContext({
    viewport: { width, height: HEIGHT },
    locale: language === 'he' ? 'he-IL' : 'en-GB',
    reducedMotion: 'reduce',
    ...(permissions ? { permissions } : {}),
  })
}

/** Opens a path below `/console`, waits for its heading of that level, and notes what the page reports as an error. */
export async function openConsole(
  product: Product,
  browser: Browser,
  path: string,
  view: View = {},
  level = 1,
): Promise<Opened> {
  const context = view.context ?? (await newContext(browser, view))
  await view.prepare?.(context)
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(error.message))
  await page.goto(`${product.publicBaseUrl}/console${path}`)
  await page.getByRole('heading', { level }).first().waitFor({ state: 'attached' })
  return { context, page, problems, close: () => (view.context ? page.close() : context.close()) }
}

/**
 * Loads one path after the other, each from the server, in a page that stays open for its language. A new page starts two
 * processes of the browser, which takes longer than the load: what only looks at many screens does not need one each.
 */
export function showPages(product: Product, browser: Browser, level = 1) {
  const shown = new Map<string, Promise<Opened>>()
  return async (path: string, { language, width }: ShownView): Promise<Shown> => {
    const already = shown.get(language)
    if (!already) {
      const opened = openConsole(product, browser, path, { language, width }, level)
      shown.set(language, opened)
      return await opened
    }
    const { page, problems } = await already
    problems.length = 0
    await page.setViewportSize({ width, height: HEIGHT })
    await page.goto(`${product.publicBaseUrl}/console${path}`)
    await page.getByRole('heading', { level }).first().waitFor({ state: 'attached' })
    return { page, problems }
  }
}

/** Nothing sticks out, axe finds nothing, the browser reports no error. With PAGE_PICTURES the page is photographed. */
export async function judge(page: Page, name: string, problems: string[]): Promise<void> {
  await page.waitForLoadState('networkidle')
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(`${name} sticks out by ${overflow}`).toBe(`${name} sticks out by 0`)
  const violations = await findViolations(page)
  expect(violations.map(({ id, nodes }) => `${name}: ${id} ${nodes[0]?.html}`)).toEqual([])
  expect(problems).toEqual([])
  await photograph(page, name)
}

/** Keeps a picture of the page in the directory PAGE_PICTURES, when that is set. */
export async function photograph(page: Page, name: string): Promise<void> {
  const pictures = processEnvironment().PAGE_PICTURES
  if (!pictures) return
  mkdirSync(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, `${name}.png`) })
}
