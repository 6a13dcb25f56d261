import { expect } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { Browser, Page } from 'playwright-core'
import { processEnvironment } from '../../src/config.ts'
import { buildConsole } from '../../src/console/build/build.ts'
import { findFreePort } from '../../src/lib/net.ts'
import { openBrowser } from './browser.ts'
import { type Product, type ProductOptions, startProduct } from './product.ts'

export const LANGUAGES = ['he', 'en'] as const
export const WIDTHS = [360, 1280] as const
export type View = { language?: 'he' | 'en'; width?: number }

/** The product with its console, and a real browser. */
export async function startConsole(options: Partial<ProductOptions> = {}) {
  await buildConsole(join(import.meta.dir, '../../dist/console'))
  const port = String(await findFreePort('127.0.0.1'))
  const product = await startProduct({
    queue: 'postgres',
    ...options,
    env: { PORT: port, PUBLIC_BASE_URL: `http://localhost:${port}`, ...options.env },
  })
  const browser = await openBrowser()
  return {
    product,
    open: (path: string, view: View = {}) => openScreen(product, browser, path, view),
    async stop() {
      await browser.close()
      await product.stop()
    },
  }
}

async function openScreen(product: Product, browser: Browser, path: string, { language = 'he', width = 1280 }: View) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    locale: language === 'he' ? 'he-IL' : 'en-GB',
    reducedMotion: 'reduce',
    acceptDownloads: true,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(error.message))
  await page.goto(`${product.publicBaseUrl}/console${path}`)
  await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' })
  return { page, problems, close: () => context.close() }
}

/** Nothing sticks out, axe finds nothing, and the browser reported nothing. With PAGE_PICTURES set, a picture is kept. */
export async function judgeScreen(page: Page, name: string, problems: string[]): Promise<void> {
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
