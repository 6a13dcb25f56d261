import { expect } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { Browser, Page } from 'playwright-core'
import { processEnvironment } from '../../src/config.ts'
import { buildConsole } from '../../src/console/build/build.ts'
import { findFreePort } from '../../src/lib/net.ts'
import { type Product, type ProductOptions, startProduct } from './product.ts'

export type ConsolePage = { page: Page; problems: string[]; close(): Promise<void> }
export type Language = 'he' | 'en'

/** The product with the console built, at an address that a browser reaches. */
export async function startConsoleProduct(options: Partial<ProductOptions> = {}): Promise<Product> {
  await buildConsole(join(import.meta.dir, '../../dist/console'))
  const port = String(await findFreePort('127.0.0.1'))
  return await startProduct({
    queue: 'postgres',
    carrier: { statusDelaysMs: { queued: 2, sent: 10, delivered: 20, read: 30 } },
    ...options,
    env: { PORT: port, PUBLIC_BASE_URL: `http://localhost:${port}`, ...options.env },
  })
}

/** Opens a screen, and notes what the page reports as an error. */
export async function openConsole(
  product: Product,
  browser: Browser,
  path: string,
  { language = 'he', width = 1280 }: { language?: Language; width?: number } = {},
): Promise<ConsolePage> {
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    locale: language === 'he' ? 'he-IL' : 'en-GB',
    reducedMotion: 'reduce',
    permissions: ['microphone'],
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

/** Nothing sticks out, axe finds nothing, the page reported no error. With PAGE_PICTURES set it is photographed. */
export async function judgePage({ page, problems }: Pick<ConsolePage, 'page' | 'problems'>, name: string) {
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
