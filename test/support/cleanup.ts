import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const cleanups: (() => Promise<void>)[] = []

/**
 * Runs `cleanup` when the test run ends, or, in one of several workers, the file; it must do no harm when its thing is
 * already gone.
 */
export function onTestsEnd(cleanup: () => Promise<void>): void {
  cleanups.push(cleanup)
}

/** Called by the preload, after the last test. */
export async function runCleanups(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
}

/** A directory of its own, gone when the file or the test run ends. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `agentlocator-${name}-`))
  onTestsEnd(async () => rmSync(directory, { recursive: true, force: true }))
  return directory
}
