import { type Browser, chromium } from 'playwright-core'

const WHOLE = ['chromium', 'chromium-browser', 'google-chrome']

/**
 * A real Chromium that makes no outside request.
 * @param more further arguments, such as those of a simulated microphone
 * @param kind the one without windows is lighter, and shows no notifications
 */
export async function openBrowser(more: readonly string[] = [], kind: 'light' | 'whole' = 'light'): Promise<Browser> {
  const executablePath = [...(kind === 'light' ? ['chromium-headless-shell'] : []), ...WHOLE]
    .map((name) => Bun.which(name))
    .find(Boolean)
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
