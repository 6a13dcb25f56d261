import type { Logger } from '../../lib/log.ts'
import { createSupervision, StartRefused, type Step } from './steps.ts'

/**
 * Starts all steps and waits for SIGTERM, SIGINT or a closed terminal; a second kills. Exits 0, or 1 if the start failed.
 */
export async function runSupervision(steps: Step[], logger: Logger, onUp: () => void): Promise<void> {
  const supervision = createSupervision(steps, logger)
  let asked = false
  const stop = (signal: string) => {
    logger.info({ signal }, asked ? 'stop forced' : 'stop requested; send the signal again to stop without waiting')
    asked = true
    void supervision.stop().then(() => process.exit(0))
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop(signal))

  try {
    await supervision.start()
    if (!asked) onUp()
  } catch (error) {
    // A step that fails because of the stop is no error.
    if (asked) return
    if (error instanceof StartRefused) console.error(error.message)
    else logger.fatal({ err: error }, 'start failed')
    process.exit(1)
  }
}
