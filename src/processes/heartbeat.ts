import { hostname } from 'node:os'
import type { Deps } from '../composition/deps.ts'
import { beat, leave, type ProcessKind } from '../domain/system/index.ts'
import { errorMessage } from '../lib/errors.ts'

const BEAT_MS = 5_000

/** Writes regularly that this process is alive; `stop` removes it from the list. */
export async function startHeartbeat(deps: Deps, kind: ProcessKind): Promise<{ stop(): Promise<void> }> {
  const self = { kind, host: hostname(), pid: process.pid, version: deps.version.version }
  const writeBeat = () =>
    beat(deps.ctx, self).catch((error: unknown) =>
      deps.log.warn({ error: errorMessage(error) }, 'heartbeat not written'),
    )
  await writeBeat()
  const timer = setInterval(writeBeat, BEAT_MS)
  return {
    async stop() {
      clearInterval(timer)
      await leave(deps.ctx, self)
    },
  }
}
