import { errorMessage, stackFrames } from './errors.ts'
import type { Logger } from './log.ts'

export type ShutdownReason = 'SIGTERM' | 'SIGINT' | 'disconnect'

type Handler = (reason: ShutdownReason) => Promise<void> | void

let handlers: Handler[] | null = null
let stopping = false

/**
 * Runs `handler` on SIGTERM, on SIGINT (Ctrl-C) or when the supervisor has ended, then exits with 0, or 1 when a handler threw.
 * Handlers run one after another, the last registered first. A second signal exits at once.
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
 * Keeps one stray failure from taking a process down with all its calls, accounts or jobs: a promise that nobody waited
 * for, and the database driver writing to a socket that has just gone (its queries are rejected by themselves). Any other
 * uncaught error leaves the process in a state nobody knows: it ends, and its place is taken.
 */
export function guardProcess(logger: Logger): void {
  process.on('unhandledRejection', (error) =>
    logger.error({ reason: errorMessage(error), stack: stackFrames(error) }, 'a promise failed that nobody waited for'),
  )
  process.on('uncaughtException', (error) => {
    const stack = stackFrames(error)
    const line = { reason: errorMessage(error), stack }
    if (/[\\/]postgres[\\/](src|cjs|cf)[\\/]/.test(stack.split('\n')[0] ?? '')) {
      logger.error(line, 'the database driver lost its socket')
      return
    }
    logger.fatal(line, 'an error nobody caught: this process ends')
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
