import { errorMessage } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import {
  type Backoff,
  type ManagedProcess,
  type ProcessSpec,
  type ReadyMessage,
  startProcess,
} from './managed-process.ts'

export type { ReadyMessage }

/** The start was refused for a reason that the operator can act on: shown without a stack. */
export class StartRefused extends Error {
  override name = 'StartRefused'
}

export const START_CANCELED = 'The start was canceled.'

export type ChildEnvironment = Record<string, string | undefined>

export type ScriptSpec = (name: string, file: string, stopTimeoutMs: number, ...args: string[]) => ProcessSpec

export type Running = { stop(): Promise<void>; kill?(): void }

/** One thing to start. Steps start in order, each when the one before is up, and stop in reverse order. */
export type Step = {
  name: string
  /** @param signal aborted when everything must stop while this step still starts */
  start(signal: AbortSignal): Promise<Running | undefined>
}

export type Supervision = {
  /** Starts every step. @throws Error of the step that failed, after stopping those that were up */
  start(): Promise<void>
  /** Stops what is up, last first. A second call kills instead of waiting. */
  stop(): Promise<void>
}

export function createSupervision(steps: Step[], logger: Logger): Supervision {
  const started: { name: string; running: Running }[] = []
  const abort = new AbortController()
  let starting: Promise<void> = Promise.resolve()
  let stopping: Promise<void> | null = null

  const startAll = async () => {
    for (const step of steps) {
      if (abort.signal.aborted) return
      logger.debug({ step: step.name }, 'starting')
      const running = await step.start(abort.signal)
      if (running) started.push({ name: step.name, running })
    }
  }

  const stopAll = async () => {
    abort.abort()
    // A step that still starts fails by the abort or comes up; `start` reports its failure.
    await starting.catch(() => {})
    for (let last = started.at(-1); last; last = started.at(-1)) {
      logger.debug({ step: last.name }, 'stopping')
      try {
        await last.running.stop()
      } catch (error) {
        logger.error({ step: last.name, reason: errorMessage(error) }, 'step failed to stop')
      }
      started.pop()
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
      if (stopping) for (const { running } of started) running.kill?.()
      stopping ??= stopAll()
      return stopping
    },
  }
}

/** Stops processes together. */
export function runningOf(processes: readonly ManagedProcess[]): Running {
  return {
    stop: async () => {
      await Promise.all(processes.map((managed) => managed.stop()))
    },
    kill: () => {
      for (const managed of processes) managed.kill()
    },
  }
}

/** A step of processes that start together; `specs` is called at its start, to use earlier results. */
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
      const running = runningOf(processes)
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => reject(new Error(START_CANCELED)), { once: true })
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
