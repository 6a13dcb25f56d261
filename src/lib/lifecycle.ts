import { errorMessage, stackFrames } from './errors.ts'
import type { Logger } from './log.ts'

export type ShutdownReason = 'SIGTERM' | 'SIGINT' | 'disconnect'

type Handler = (reason: ShutdownReason) => Promise<void> | void

let handlers: Handler[] | null = null
let stopping = false

/**
 * Runs handlers, last first, on SIGTERM, SIGINT or the supervisor's end; exits 0, or 1 after a throw. A second signal exits.
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

/** Logs unhandled rejections; exits after an uncaught exception, since the state is unknown. The supervisor replaces it. */
export function guardProcess(logger: Logger): void {
  process.on('unhandledRejection', (error) =>
    logger.error({ reason: errorMessage(error), stack: stackFrames(error) }, 'unhandled rejection'),
  )
  process.on('uncaughtException', (error) => {
    logger.fatal({ reason: errorMessage(error), stack: stackFrames(error) }, 'uncaught exception, process exits')
    process.exit(1)
  })
}

export function notifyReady(extra: Record<string, unknown> = {}): void {
  process.send?.({ type: 'ready', ...extra })
}

async function shutDown(reason: ShutdownReason, logger?: Logger): Promise<void> {
  // The end of the supervisor must not cut the drain short; a second signal does.
  if (stopping && reason === 'disconnect') return
  if (stopping) process.exit(130)
  stopping = true
  let code = 0
  for (const handler of handlers ?? []) {
    try {
      await handler(reason)
    } catch (error) {
      code = 1
      logger?.error({ reason: errorMessage(error) }, 'shutdown handler failed')
    }
  }
  process.exit(code)
}
