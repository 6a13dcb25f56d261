import { errorMessage, stackFrames } from './errors.ts'
import type { Logger } from './log.ts'

export type ShutdownReason = 'SIGTERM' | 'SIGINT' | 'disconnect'

type Handler = (reason: ShutdownReason) => Promise<void> | void

let handlers: Handler[] | null = null
let stopping = false

/**
 * Runs `handler` once when this process shall end, then ends it with 0 (1 when a handler threw). It shall end on SIGTERM,
 * on SIGINT (Ctrl-C), and when the supervisor that started it is gone, so that nothing is left behind. Handlers run one
 * after another, the last registered first. A second signal ends the process at once.
 */
export function onShutdown(handler: Handler, logger?: Logger): void {
  if (!handlers) {
    handlers = []
    const stop = (reason: ShutdownReason) => void shutDown(reason, logger)
    process.on('SIGTERM', () => stop('SIGTERM'))
    process.on('SIGINT', () => stop('SIGINT'))
    process.on('disconnect', () => stop('disconnect'))
  }
  handlers.unshift(handler)
}

/**
 * Ends the process on an uncaught exception, which leaves it in an unknown state: its supervisor starts another. A rejected
 * promise that nothing waits for is logged, and the calls, accounts or jobs of the process go on.
 */
export function guardProcess(logger: Logger): void {
  process.on('unhandledRejection', (error) =>
    logger.error({ reason: errorMessage(error), stack: stackFrames(error) }, 'unhandled rejection'),
  )
  process.on('uncaughtException', (error) => {
    logger.fatal({ reason: errorMessage(error), stack: stackFrames(error) }, 'uncaught exception, the process ends')
    process.exit(1)
  })
}

/** Tells the supervisor, if there is one, that this process does its work now. `extra` travels with it. */
export function notifyReady(extra: Record<string, unknown> = {}): void {
  process.send?.({ type: 'ready', ...extra })
}

async function shutDown(reason: ShutdownReason, logger?: Logger): Promise<void> {
  // A supervisor that dies while we drain must not cut the drain short; a second signal does.
  if (stopping && reason === 'disconnect') return
  if (stopping) process.exit(130)
  stopping = true
  let code = 0
  for (const handler of handlers ?? []) {
    try {
      await handler(reason)
    } catch (error) {
      code = 1
      logger?.error({ reason: errorMessage(error) }, 'stopping: a part did not end cleanly')
    }
  }
  process.exit(code)
}
