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

export type View = { language?: 'he' | 'en'; width?: number; context?: BrowserContext }
export type Opened = { page: Page; problems: string[]; close(): Promise<void> }

export type ConsoleFixture = {
  product: Product
  browser: Browser
  newContext(view?: View): Promise<BrowserContext>
  /** Opens a path below `/console` and waits for its heading. */
  open(path: string, view?: View): Promise<Opened>
  stop(): Promise<void>
}

/** The built console, served by a product that is reached as `localhost`, and a browser. */
export async function startConsole(options: Partial<ProductOptions> = {}): Promise<ConsoleFixture> {
  await buildConsole(join(import.meta.dir, '../../dist/console'))
  const port = String(await findFreePort('127.0.0.1'))
  const product = await startProduct({
    queue: 'postgres',
    ...options,
    env: { PORT: port, PUBLIC_BASE_URL: `http://localhost:${port}`, ...options.env },
  })
  const browser = await openBrowser()
  const newContext = ({ language = 'he', width = 1280 }: View = {}) =>
    browser.newContext({
      viewport: { width, height: 800 },
      locale: language === 'he' ? 'he-IL' : 'en-GB',
      reducedMotion: 'reduce',
    })
  return {
    product,
    browser,
    newContext,
    async open(path, view = {}) {
      const context = view.context ?? (await newContext(view))
      const page = await context.newPage()
      page.setDefaultTimeout(15_000)
      const problems: string[] = []
      page.on('console', (message) => {
        if (message.type() === 'error') problems.push(message.text())
      })
      page.on('pageerror', (error) => problems.push(error.message))
      await page.goto(`${product.publicBaseUrl}/console${path}`)
      await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' })
      return { page, problems, close: () => (view.context ? page.close() : context.close()) }
    },
    async stop() {
      await browser.close()
      await product.stop()
    },
  }
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
