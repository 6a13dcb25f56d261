import type { Page } from 'playwright-core'

type FrameWork = { frames: number; taskMs: number; scriptMs: number; layoutMs: number; styleMs: number }

/**
 * What the main thread of a page worked while `run` went on, in milliseconds of its own processor time for each frame: what
 * else the machine does makes it no longer. (Chrome DevTools Protocol, Performance.getMetrics in the domain `threadTicks`.)
 * @param run answers how many frames it took
 */
export async function workPerFrame(page: Page, run: () => Promise<number>): Promise<FrameWork> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  const read = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics')
    return new Map(metrics.map(({ name, value }) => [name, value * 1_000]))
  }
  const before = await read()
  const frames = await run()
  const after = await read()
  await devtools.detach()
  const each = (name: string) => ((after.get(name) ?? Number.NaN) - (before.get(name) ?? 0)) / frames
  return {
    frames,
    taskMs: each('TaskDuration'),
    scriptMs: each('ScriptDuration'),
    layoutMs: each('LayoutDuration'),
    styleMs: each('RecalcStyleDuration'),
  }
}

/** Scrolls an element by so many pixels in each frame. @returns the frames */
export async function scrollFrames(page: Page, selector: string, step: number, frames: number): Promise<number> {
  await page.locator(selector).evaluate(
    async (element, { step, frames }) => {
      for (let frame = 0; frame < frames; frame++) {
        element.scrollBy(0, step)
        await new Promise(requestAnimationFrame)
      }
    },
    { step, frames },
  )
  return frames
}
