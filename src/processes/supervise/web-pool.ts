import { z } from 'zod'
import type { Logger } from '../../lib/log.ts'
import { type Backoff, type ManagedProcess, type ProcessSpec, startProcess } from './managed-process.ts'
import { type Running, runningOf, START_CANCELED, type Step } from './steps.ts'

type Slot = { process: ManagedProcess; state: 'starting' | 'standby' | 'listening' }

export type WebPool = {
  listening: number
  spec(name: string): ProcessSpec
}

const STANDBY_MS = 5_000

const listeningMessage = z.object({ type: z.literal('listening') })

/** Web servers and a standby that is ready but for the port, which it takes in milliseconds: the carrier asks at once. */
export function webStep(name: string, pool: WebPool, logger: Logger, backoff?: Backoff): Step {
  return {
    name,
    start: async (signal) => {
      const { slots, served, failed } = startPool(pool, logger, backoff)
      const running: Running = runningOf(slots.map((slot) => slot.process))
      signal.addEventListener('abort', () => failed.reject(new Error(START_CANCELED)), { once: true })
      try {
        await Promise.race([served.promise, failed.promise])
        const allReady = Promise.allSettled(slots.map((slot) => slot.process.ready))
        await Promise.race([allReady, Bun.sleep(STANDBY_MS), failed.promise.catch(() => {})])
      } catch (error) {
        await running.stop()
        throw error
      }
      return running
    },
  }
}

function startPool(pool: WebPool, logger: Logger, backoff?: Backoff) {
  const slots: Slot[] = []
  const served = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<never>()
  let confirmed = 0

  const assign = () => {
    const open = pool.listening - slots.filter((slot) => slot.state === 'listening').length
    for (const slot of slots.filter((each) => each.state === 'standby').slice(0, Math.max(0, open))) {
      slot.state = 'listening'
      slot.process.send({ type: 'listen' })
      logger.info({ child: slot.process.name }, 'web server takes the port')
    }
  }
  for (let index = 1; index <= pool.listening + 1; index++) {
    const slot: Slot = {
      state: 'starting',
      process: startProcess(pool.spec(`web ${index}`), logger, backoff, {
        onReady: () => {
          slot.state = 'standby'
          assign()
        },
        onExit: () => {
          slot.state = 'starting'
          assign()
        },
        onMessage: (message) => {
          if (listeningMessage.safeParse(message).success && ++confirmed === pool.listening) served.resolve()
        },
      }),
    }
    slots.push(slot)
    slot.process.ready.catch(failed.reject)
  }
  return { slots, served, failed }
}
