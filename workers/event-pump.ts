import type { Deps } from '../src/composition/deps.ts'
import { EVENT_CHANNEL } from '../src/domain/context.ts'
import { errorMessage } from '../src/lib/errors.ts'

/** Between two rounds: a burst of events is one round, and the first of it does not wait. */
const PAUSE_MS = 250

/**
 * Runs `work` on committed events, one round at a time; a failed round is left to the next event or sweep.
 * @param pauseMs between two rounds
 */
export async function startEventPump(
  { database, log }: Pick<Deps, 'database' | 'log'>,
  what: string,
  work: () => Promise<unknown>,
  pauseMs = PAUSE_MS,
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
      await Bun.sleep(pauseMs)
    } while (again)
    running = false
  }
  await database.sql.listen(EVENT_CHANNEL, pump, pump)
}
