import { existsSync, readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { errorMessage } from './errors.ts'
import type { Logger } from './log.ts'

/**
 * Lets other processes of the machine go first: the kernel gives a process of niceness 5 a third of what it gives one of 0 while
 * both have work (sched(7)), and all of it otherwise. A process that runs lower already stays there.
 * @param niceness from 0 to 19
 */
export function lowerPriority(niceness: number, log: Logger): void {
  // Linux keeps it for each thread; those to come take over that of the one that makes them.
  const threads = existsSync('/proc/self/task') ? readdirSync('/proc/self/task').map(Number) : [process.pid]
  for (const thread of threads)
    try {
      if (getPriority(thread) < niceness) setPriority(thread, niceness)
    } catch (error) {
      // It ended meanwhile.
      if (/ESRCH/.test(errorMessage(error))) continue
      log.warn({ reason: errorMessage(error) }, 'priority not lowered')
      return
    }
}
