import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../../support/cleanup.ts'

export type JournalLine = { name: string; event: string; pid: number }

/** A file into which the processes of one test write what happens to them. */
export function openJournal() {
  const path = join(temporaryDirectory('journal'), 'journal')
  writeFileSync(path, '')
  const read = (): JournalLine[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [name = '', event = '', pid = '0'] = line.split(' ')
        return { name, event, pid: Number(pid) }
      })
  return {
    path,
    read,
    /** `name event` of each line. */
    events: () => read().map(({ name, event }) => `${name} ${event}`),
    /** Pids of all processes that ever wrote here and are not gone. */
    survivors: () => [...new Set(read().map(({ pid }) => pid))].filter(isRunning),
    waitFor: async (wanted: string, count = 1, timeoutMs = 10_000) => {
      const deadline = Date.now() + timeoutMs
      while (read().filter(({ name, event }) => `${name} ${event}` === wanted).length < count) {
        if (Date.now() > deadline)
          throw new Error(`"${wanted}" did not happen; what did:\n${readFileSync(path, 'utf8')}`)
        await Bun.sleep(10)
      }
    },
  }
}

/** A process that is a zombie has ended: only its parent has not asked yet. */
export function isRunning(pid: number): boolean {
  const status = `/proc/${pid}/status`
  return existsSync(status) && !/^State:\s+Z/m.test(readFileSync(status, 'utf8'))
}

export async function waitUntil(check: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!check()) {
    if (Date.now() > deadline) throw new Error(`did not come true within ${timeoutMs} ms`)
    await Bun.sleep(10)
  }
}
