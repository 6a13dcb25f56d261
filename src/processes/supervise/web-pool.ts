import { z } from 'zod'
import type { Logger } from '../../lib/log.ts'
import { type Backoff, type ManagedProcess, type ProcessSpec, startProcess } from './managed-process.ts'
import type { Running, Step } from './steps.ts'

type Slot = { process: ManagedProcess; state: 'starting' | 'spare' | 'listening' }

const SPARE_MS = 5_000

const listening = z.object({ type: z.literal('listening') })

/**
 * The web servers and one spare: a server that has everything ready but the port. When one dies the spare takes the port
 * within milliseconds, so that the carrier, which asks at once what to do with the caller of a dropped stream, is answered.
 * @param pool asked when the step starts; `listening` is how many serve at a time
 */
export function webStep(
  name: string,
  pool: () => { listening: number; spec(name: string): ProcessSpec },
  logger: Logger,
  backoff?: Backoff,
): Step {
  return {
    name,
    start: async (signal) => {
      const { listening: wanted, spec } = pool()
      const slots: Slot[] = []
      const served = Promise.withResolvers<void>()
      const failed = Promise.withResolvers<never>()
      let confirmed = 0

      const assign = () => {
        const open = wanted - slots.filter((slot) => slot.state === 'listening').length
        for (const slot of slots.filter((each) => each.state === 'spare').slice(0, Math.max(0, open))) {
          slot.state = 'listening'
          slot.process.send({ type: 'listen' })
          logger.info({ child: slot.process.name }, 'takes the port')
        }
      }
      for (let index = 1; index <= wanted + 1; index++) {
        const slot: Slot = {
          state: 'starting',
          process: startProcess(spec(`web ${index}`), logger, backoff, {
            onReady: () => {
              slot.state = 'spare'
              assign()
            },
            onExit: () => {
              slot.state = 'starting'
              assign()
            },
            onMessage: (message) => {
              if (listening.safeParse(message).success && ++confirmed === wanted) served.resolve()
            },
          }),
        }
        slots.push(slot)
        slot.process.ready.catch(failed.reject)
      }
      const running: Running = {
        stop: async () => {
          await Promise.all(slots.map((slot) => slot.process.stop()))
        },
        kill: () => {
          for (const slot of slots) slot.process.kill()
        },
      }
      signal.addEventListener('abort', () => failed.reject(new Error('The start was given up.')), { once: true })
      try {
        await Promise.race([served.promise, failed.promise])
        // The spare says that it is ready before the product says that it is up; a slow one is not waited for.
        const everyone = Promise.allSettled(slots.map((slot) => slot.process.ready))
        await Promise.race([everyone, Bun.sleep(SPARE_MS), failed.promise.catch(() => {})])
      } catch (error) {
        await running.stop()
        throw error
      }
      return running
    },
  }
}
