import { AppError, errorMessage } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'

/**
 * Runs sweeps one after the other; a failure does not stop the others.
 * @returns how many items each of them repaired
 * @throws AppError `sweep_failed` (unavailable) naming those that failed, after all have run
 */
export async function runSweeps(
  sweeps: Record<string, () => Promise<number>>,
  log: Logger,
): Promise<Record<string, number>> {
  const done: Record<string, number> = {}
  const failed: string[] = []
  for (const [name, sweep] of Object.entries(sweeps))
    try {
      done[name] = await sweep()
    } catch (error) {
      done[name] = 0
      failed.push(name)
      log.error({ sweep: name, error: errorMessage(error) }, 'sweep failed')
    }
  if (Object.values(done).some((count) => count > 0)) log.info(done, 'sweep repaired items')
  if (failed.length > 0) throw new AppError('unavailable', 'sweep_failed', `These sweeps failed: ${failed.join(', ')}.`)
  return done
}
