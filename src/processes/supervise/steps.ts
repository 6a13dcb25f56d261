import { errorMessage } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import {
  type Backoff,
  type ManagedProcess,
  type ProcessSpec,
  type ReadyMessage,
  startProcess,
} from './managed-process.ts'

/** The start was refused for a reason the operator can act on: shown without a stack. */
export class StartRefused extends Error {
  override name = 'StartRefused'
}

/** What undoes a step when everything stops. `kill` is for a second signal: no waiting, no order. */
export type Running = { stop(): Promise<void>; kill?(): void }

/** One thing to bring up. Steps start in order, each when the one before stands, and stop in reverse order. */
export type Step = {
  name: string
  /** @param signal aborted when everything is to stop while this is still coming up */
  start(signal: AbortSignal): Promise<Running | undefined>
}

export type Supervision = {
  /** Starts every step. @throws Error of the step that failed, after stopping those that stood */
  start(): Promise<void>
  /** Stops what stands, last first. Called a second time it kills instead of waiting. */
  stop(): Promise<void>
}

export function createSupervision(steps: Step[], logger: Logger): Supervision {
  const standing: { name: string; running: Running }[] = []
  const abort = new AbortController()
  let starting: Promise<void> = Promise.resolve()
  let stopping: Promise<void> | null = null

  const startAll = async () => {
    for (const step of steps) {
      if (abort.signal.aborted) return
      logger.debug({ step: step.name }, 'starting')
      const running = await step.start(abort.signal)
      if (running) standing.push({ name: step.name, running })
    }
  }

  const stopAll = async () => {
    abort.abort()
    // The step that is just coming up fails by the abort or stands; its failure is reported by `start`.
    await starting.catch(() => {})
    for (let last = standing.at(-1); last; last = standing.at(-1)) {
      logger.debug({ step: last.name }, 'stopping')
      try {
        await last.running.stop()
      } catch (error) {
        logger.error({ step: last.name, reason: errorMessage(error) }, 'a part did not stop cleanly')
      }
      standing.pop()
    }
  }

  return {
    start: async () => {
      starting = startAll()
      try {
        await starting
      } catch (error) {
        stopping ??= stopAll()
        await stopping
        throw error
      }
    },
    stop: () => {
      if (stopping) for (const { running } of standing) running.kill?.()
      stopping ??= stopAll()
      return stopping
    },
  }
}

/**
 * A step of one or more processes that are started together and waited for.
 * @param specs asked when the step starts, so that it may use what earlier steps found out
 */
export function processStep(
  name: string,
  specs: () => ProcessSpec[] | Promise<ProcessSpec[]>,
  logger: Logger,
  options: { backoff?: Backoff; onReady?(messages: ReadyMessage[]): void } = {},
): Step {
  return {
    name,
    start: async (signal) => {
      const processes: ManagedProcess[] = (await specs()).map((spec) => startProcess(spec, logger, options.backoff))
      const running: Running = {
        stop: async () => {
          await Promise.all(processes.map((managed) => managed.stop()))
        },
        kill: () => {
          for (const managed of processes) managed.kill()
        },
      }
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => reject(new Error('The start was given up.')), { once: true })
      try {
        const messages = await Promise.race([Promise.all(processes.map((managed) => managed.ready)), aborted])
        options.onReady?.(messages)
      } catch (error) {
        await running.stop()
        throw error
      }
      return running
    },
  }
}
