import { EXIT } from './exit.ts'
import { printError } from './output.ts'

/** What is done when the person presses Ctrl-C; answers what to say about it, or null. */
export type OnInterrupt = () => string | null

const pending = new Set<OnInterrupt>()

/**
 * While `work` runs, Ctrl-C calls `onInterrupt` before it ends the command.
 * @returns what `work` answers
 */
export async function interruptible<T>(onInterrupt: OnInterrupt, work: () => Promise<T>): Promise<T> {
  pending.add(onInterrupt)
  try {
    return await work()
  } finally {
    pending.delete(onInterrupt)
  }
}

/** Ctrl-C and SIGTERM end the command in order: the newest work first, then the exit code that the shell knows. */
export function listenForInterrupts(): void {
  for (const [signal, code] of [
    ['SIGINT', EXIT.interrupted],
    ['SIGTERM', EXIT.terminated],
  ] as const)
    process.on(signal, () => {
      for (const tidy of [...pending].reverse()) {
        const said = tidy()
        if (said) printError(said)
      }
      process.exit(code)
    })
}
