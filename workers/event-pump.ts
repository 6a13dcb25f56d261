import type { Deps } from '../src/composition/deps.ts'
import { EVENT_CHANNEL } from '../src/domain/context.ts'
import { errorMessage } from '../src/lib/errors.ts'

/**
 * Runs `work` whenever the database notifies of committed events, one round at a time. What a failed round left, the next
 * event or the sweep takes.
 * @param what names the work in the log
 */
export async function startEventPump(
  { database, log }: Pick<Deps, 'database' | 'log'>,
  what: string,
  work: () => Promise<unknown>,
): Promise<void> {
  let running = false
  let again = false
  const pump = async () => {
    if (running) {
      again = true
      return
    }
    running = true
    do {
      again = false
      try {
        await work()
      } catch (error) {
        log.warn({ what, error: errorMessage(error) }, 'work for events failed')
      }
    } while (again)
    running = false
  }
  await database.sql.listen(EVENT_CHANNEL, pump, pump)
}
