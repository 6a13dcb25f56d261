import { expect } from 'bun:test'
import axe from 'axe-core'
import type { Page } from 'playwright-core'

/**
 * What axe finds wrong on a page. It runs in the page itself: its own driver opens and closes another page each time, which
 * takes longer than the rules do. The rules look at one frame, so a page with more is refused.
 */
export async function findViolations(page: Page): Promise<axe.Result[]> {
  expect(page.frames()).toHaveLength(1)
  await page.evaluate(axe.source)
  const results = await page.evaluate<axe.AxeResults>(`axe.run(document, { resultTypes: ['violations'] })`)
  return results.violations
}
