import type { Logger } from '../../lib/log.ts'
import { createSupervision, StartRefused, type Step } from './steps.ts'

/**
 * Brings all steps up, then waits for the signal to stop: SIGTERM, SIGINT or a closed terminal. A second one kills.
 * Ends the process itself: 0 after an ordered stop, 1 when the start failed.
 */
export async function runSupervision(steps: Step[], logger: Logger, onUp: () => void): Promise<void> {
  const supervision = createSupervision(steps, logger)
  let asked = false
  const stop = (signal: string) => {
    logger.info({ signal }, asked ? 'stopping now' : 'stopping; once more to stop without waiting')
    asked = true
    void supervision.stop().then(() => process.exit(0))
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop(signal))

  try {
    await supervision.start()
    if (!asked) onUp()
  } catch (error) {
    // An error while stopping is the stop's doing.
    if (asked) return
    if (error instanceof StartRefused) console.error(error.message)
    else logger.fatal({ err: error }, 'the start failed')
    process.exit(1)
  }
}
