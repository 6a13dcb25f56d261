import { z } from 'zod'
import type { Logger } from '../../lib/log.ts'

export type ProcessSpec = {
  name: string
  command: string[]
  env: Record<string, string | undefined>
  /** How long until it must be ready, restarts included, in ms. */
  readyTimeoutMs: number
  /** How long after SIGTERM it may take to end, in ms; then it is killed. */
  stopTimeoutMs: number
  /** Working directory; the supervisor's own when unset. */
  cwd?: string
}

export type Backoff = {
  firstMs: number
  maxMs: number
  /** A process that ran this long starts again after `firstMs`. */
  healthyMs: number
}

export const RESTART_BACKOFF: Backoff = { firstMs: 500, maxMs: 30_000, healthyMs: 60_000 }

const readyMessage = z.looseObject({ type: z.literal('ready') })
export type ReadyMessage = z.infer<typeof readyMessage>

export type ManagedProcess = {
  readonly name: string
  /** Of the running process; null between two starts. */
  readonly pid: number | null
  /** The message with which the process became ready. @throws Error when it did not in time */
  ready: Promise<ReadyMessage>
  /** SIGTERM, then SIGKILL when time is up. Resolves when the process and its children have ended. */
  stop(): Promise<void>
  kill(): void
  send(message: { type: string }): void
}

export type ProcessHooks = {
  onReady?(): void
  onMessage?(message: unknown): void
  onExit?(): void
}

/** Starts a process, and again with growing pauses whenever it ends by itself. */
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
  // A rejection that no caller awaits must not end the supervisor.
  ready.catch(() => {}).finally(() => clearTimeout(readyTimer))

  function spawn() {
    restartTimer = null
    const startedAt = performance.now()
    child = spawnChild(spec, {
      onMessage(message) {
        const parsed = readyMessage.safeParse(message)
        if (!parsed.success) return hooks.onMessage?.(message)
        logger.info({ child: spec.name, ms: Math.round(performance.now() - startedAt) }, 'process ready')
        resolve(parsed.data)
        hooks.onReady?.()
      },
      onExit(code, signal) {
        if (stopping) return
        child = null
        // First, so that the standby takes over at once.
        hooks.onExit?.()
        if (performance.now() - startedAt >= backoff.healthyMs) pauseMs = backoff.firstMs
        logger.error({ child: spec.name, code, signal, restartInMs: pauseMs }, 'process ended, restarting')
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
    async stop() {
      stopping = true
      clearTimeout(readyTimer)
      if (restartTimer) clearTimeout(restartTimer)
      if (child) await stopChild(child, spec, logger)
    },
    kill() {
      stopping = true
      if (restartTimer) clearTimeout(restartTimer)
      if (child) killGroup(child.pid)
    },
    send: (message) => child?.send(message),
  }
}

/** Spawns in a session of its own: Ctrl-C reaches the process only through the supervisor's ordered stop. */
function spawnChild(
  spec: ProcessSpec,
  hooks: { onMessage(message: unknown): void; onExit(code: number | null, signal: unknown): void },
): Bun.Subprocess {
  return Bun.spawn(spec.command, {
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
    env: spec.env,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
    serialization: 'json',
    ipc: hooks.onMessage,
    onExit(exited, code, signal) {
      killGroup(exited.pid)
      hooks.onExit(code, signal)
    },
  })
}

async function stopChild(child: Bun.Subprocess, spec: ProcessSpec, logger: Logger): Promise<void> {
  child.kill('SIGTERM')
  const killTimer = setTimeout(() => {
    logger.error({ child: spec.name, afterMs: spec.stopTimeoutMs }, 'process did not stop, killed')
    killGroup(child.pid)
  }, spec.stopTimeoutMs)
  await child.exited
  clearTimeout(killTimer)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
