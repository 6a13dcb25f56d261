import { z } from 'zod'
import type { Logger } from '../../lib/log.ts'

export type ProcessSpec = {
  name: string
  command: string[]
  env: Record<string, string | undefined>
  /** How long until it must have said that it is ready, restarts included, in ms. */
  readyTimeoutMs: number
  /** How long after SIGTERM it may take to end, in ms; then it is killed. */
  stopTimeoutMs: number
  /** Working directory; the supervisor's own when unset. */
  cwd?: string
}

export type Backoff = {
  firstMs: number
  maxMs: number
  /** A process that lived this long starts again from `firstMs`. */
  healthyMs: number
}

export const RESTART_BACKOFF: Backoff = { firstMs: 500, maxMs: 30_000, healthyMs: 60_000 }

const readyMessage = z.looseObject({ type: z.literal('ready') })
export type ReadyMessage = z.infer<typeof readyMessage>

export type ManagedProcess = {
  readonly name: string
  /** Of the process running now; null between two lives. */
  readonly pid: number | null
  /** What the process said when it became ready. @throws Error when it did not in time */
  ready: Promise<ReadyMessage>
  /** SIGTERM, then SIGKILL when time is up. Resolves when nothing of it is left. */
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): void
  /** Says something to the process; lost when it is not running. */
  send(message: { type: string }): void
}

/** Told of every life of a process, not only the first. */
export type ProcessHooks = {
  onReady?(): void
  onMessage?(message: unknown): void
  /** It ended by itself; another life follows after the backoff. */
  onExit?(): void
}

/**
 * Starts a process and starts it again with growing pauses whenever it ends by itself. It runs in a session of its own,
 * so that Ctrl-C reaches it only through the supervisor's ordered stop.
 */
export function startProcess(
  spec: ProcessSpec,
  logger: Logger,
  backoff: Backoff = RESTART_BACKOFF,
  hooks: ProcessHooks = {},
): ManagedProcess {
  const { promise: ready, resolve, reject } = Promise.withResolvers<ReadyMessage>()
  let child: Bun.Subprocess | null = null
  let stopping = false
  let restartTimer: ReturnType<typeof setTimeout> | null = null
  let pauseMs = backoff.firstMs

  const readyTimer = setTimeout(
    () => reject(new Error(`${spec.name} was not ready within ${spec.readyTimeoutMs / 1_000} s; see its log above.`)),
    spec.readyTimeoutMs,
  )
  // Whoever waits for it gets the rejection; nobody waiting is no reason to fall over.
  ready.catch(() => {}).finally(() => clearTimeout(readyTimer))

  const spawn = () => {
    restartTimer = null
    const startedAt = performance.now()
    child = Bun.spawn(spec.command, {
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
      env: spec.env,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
      serialization: 'json',
      ipc: (message) => {
        const parsed = readyMessage.safeParse(message)
        if (!parsed.success) {
          hooks.onMessage?.(message)
          return
        }
        logger.info({ child: spec.name, ms: Math.round(performance.now() - startedAt) }, 'ready')
        resolve(parsed.data)
        hooks.onReady?.()
      },
      onExit: (exited, code, signal) => {
        killGroup(exited.pid)
        if (stopping) return
        child = null
        // First of all: whoever takes over must not wait for our book-keeping.
        hooks.onExit?.()
        if (performance.now() - startedAt >= backoff.healthyMs) pauseMs = backoff.firstMs
        logger.error({ child: spec.name, code, signal, restartInMs: pauseMs }, 'process ended, starting it again')
        restartTimer = setTimeout(spawn, pauseMs)
        pauseMs = Math.min(pauseMs * 2, backoff.maxMs)
      },
    })
  }
  spawn()

  return {
    name: spec.name,
    get pid() {
      return child?.pid ?? null
    },
    ready,
    stop: async () => {
      stopping = true
      clearTimeout(readyTimer)
      if (restartTimer) clearTimeout(restartTimer)
      const running = child
      if (!running) return
      running.kill('SIGTERM')
      const killTimer = setTimeout(() => {
        logger.error({ child: spec.name, afterMs: spec.stopTimeoutMs }, 'process does not stop, killing it')
        killGroup(running.pid)
      }, spec.stopTimeoutMs)
      await running.exited
      clearTimeout(killTimer)
    },
    kill: () => {
      stopping = true
      if (restartTimer) clearTimeout(restartTimer)
      if (child) killGroup(child.pid)
    },
    send: (message) => child?.send(message),
  }
}

/** Kills a process with whatever it started; gone already is fine. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
