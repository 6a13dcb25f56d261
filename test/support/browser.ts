import { type Browser, chromium } from 'playwright-core'

/** A real Chromium that makes no outside request. @param more further arguments, such as those of a simulated microphone */
export async function openBrowser(more: readonly string[] = []): Promise<Browser> {
  const executablePath = ['chromium', 'chromium-browser', 'google-chrome'].map((name) => Bun.which(name)).find(Boolean)
  if (!executablePath) throw new Error('The tests of pages need Chromium: install it, or run them with ./test/run.sh.')
  return await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-default-apps',
      '--disable-sync',
      '--no-first-run',
      ...more,
    ],
  })
}
