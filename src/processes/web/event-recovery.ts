import type { Deps } from '../../composition/deps.ts'
import { errorMessage } from '../../lib/errors.ts'

const RECOVER_EVERY_MS = 30_000

/** Takes over the events that stopped web servers of this machine left behind, at once and then regularly. */
export function startEventRecovery({ inbox, log }: Pick<Deps, 'inbox' | 'log'>): { stop(): void } {
  const recover = () => {
    inbox.recover().catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'event recovery failed'))
  }
  recover()
  const timer = setInterval(recover, RECOVER_EVERY_MS)
  return { stop: () => clearInterval(timer) }
}
