import { EXIT } from './exit.ts'
import { printError } from './output.ts'

export type OnInterrupt = () => string | null

const pending = new Set<OnInterrupt>()

export async function interruptible<T>(onInterrupt: OnInterrupt, work: () => Promise<T>): Promise<T> {
  pending.add(onInterrupt)
  try {
    return await work()
  } finally {
    pending.delete(onInterrupt)
  }
}

/** Ctrl-C and SIGTERM call the handlers, the newest first, and exit with the code that a shell expects. */
export function listenForInterrupts(): void {
  for (const [signal, code] of [
    ['SIGINT', EXIT.interrupted],
    ['SIGTERM', EXIT.terminated],
  ] as const)
    process.on(signal, () => {
      for (const onInterrupt of [...pending].reverse()) {
        const message = onInterrupt()
        if (message) printError(message)
      }
      process.exit(code)
    })
}
