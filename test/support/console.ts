import { expect } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { processEnvironment } from '../../src/config.ts'
import { buildConsole } from '../../src/console/build/build.ts'
import { findFreePort } from '../../src/lib/net.ts'
import { openBrowser } from './browser.ts'
import { type Product, type ProductOptions, startProduct } from './product.ts'

export const LANGUAGES = ['he', 'en'] as const
export const WIDTHS = [360, 1280] as const
export type View = {
  language?: 'he' | 'en'
  width?: number
  /** What the page may do; all else is denied then. */
  permissions?: string[]
  context?: BrowserContext
  /** Changes the context before the page is opened. */
  prepare?: (context: BrowserContext) => Promise<void>
}
export type Opened = { context: BrowserContext; page: Page; problems: string[]; close(): Promise<void> }

export type ConsoleFixture = {
  product: Product
  browser: Browser
  newContext(view?: View): Promise<BrowserContext>
  /** Opens a path below `/console` and waits for its heading. */
  open(path: string, view?: View): Promise<Opened>
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
    async stop() {
      await browser.close()
      await product.stop()
    },
  }
}

function newContext(browser: Browser, { language = 'he', width = 1280, permissions }: View): Promise<BrowserContext> {
  return browser.newContext({
    viewport: { width, height: 800 },
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

/** Nothing sticks out, axe finds nothing, the browser reports no error. With PAGE_PICTURES the page is photographed. */
export async function judge(page: Page, name: string, problems: string[]): Promise<void> {
  await page.waitForLoadState('networkidle')
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(`${name} sticks out by ${overflow}`).toBe(`${name} sticks out by 0`)
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${name}: ${id} ${nodes[0]?.html}`)).toEqual([])
  expect(problems).toEqual([])
  const pictures = processEnvironment().PAGE_PICTURES
  if (!pictures) return
  mkdirSync(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, `${name}.png`) })
}
