/**
 * Builds the console anew whenever a source changes. The running product serves the newest build: reload the browser.
 */
import { watch } from 'node:fs'
import { join } from 'node:path'
import { buildConsole } from './build.ts'

const CONSOLE = join(import.meta.dir, '..')
const FOLDER = join(CONSOLE, '../../dist/console')

async function rebuild(): Promise<void> {
  const startedAt = performance.now()
  try {
    const { built } = await buildConsole(FOLDER)
    if (built) console.log(`built in ${Math.round(performance.now() - startedAt)} ms`)
  } catch (error) {
    console.error(error)
  }
}

if (import.meta.main) {
  await rebuild()
  let waiting: Timer | undefined
  watch(CONSOLE, { recursive: true }, () => {
    clearTimeout(waiting)
    waiting = setTimeout(() => void rebuild(), 80)
  })
}
