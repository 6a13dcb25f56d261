import { tracked } from '@trpc/server'
import { z } from 'zod'
import { processesAlive } from '../domain/system/index.ts'
import { drainQueue, readFailedJobs, readQueueHealth, retryFailedJobs } from '../jobs/inspect.ts'
import { QUEUES } from '../jobs/registry.ts'
import { businessProcedure, router } from './trpc.ts'

const queueName = z.enum(QUEUES)
const queueHealth = z.object({
  name: queueName,
  waiting: z.number(),
  active: z.number(),
  delayed: z.number(),
  completed: z.number(),
  failed: z.number(),
  paused: z.boolean(),
  oldestWaitingMs: z.number().nullable(),
})
const count = z.object({ count: z.number() })

const WATCH_MS = 2_000

export const systemRouter = router({
  /** How many processes of each kind live. */
  processes: businessProcedure
    .output(z.record(z.string(), z.number()))
    .query(({ ctx }) => processesAlive(ctx.business)),
  queues: businessProcedure
    .output(z.object({ items: z.array(queueHealth) }))
    .query(async ({ ctx }) => ({ items: await readQueueHealth(ctx.services.queues()) })),
  /** The failed jobs with their reasons; personal data is hidden. */
  failedJobs: businessProcedure
    .input(z.object({ queue: queueName, limit: z.coerce.number().int().min(1).max(200).default(50) }))
    .output(
      z.object({
        items: z.array(
          z.object({
            id: z.string(),
            name: z.string(),
            attempts: z.number(),
            reason: z.string(),
            payload: z.unknown(),
            enqueuedAt: z.date(),
            failedAt: z.date().nullable(),
          }),
        ),
      }),
    )
    .query(async ({ ctx, input }) => ({
      items: await readFailedJobs(ctx.services.queues(), input.queue, input.limit),
    })),
  /** One failed job, or all of the queue, gets its tries again. */
  retryJobs: businessProcedure
    .input(z.object({ queue: queueName, jobId: z.string().min(1).max(200).optional() }))
    .output(count)
    .mutation(async ({ ctx, input }) => ({
      count: await retryFailedJobs(ctx.services.queues(), input.queue, input.jobId),
    })),
  /** Throws away what waits. */
  drainQueue: businessProcedure
    .input(z.object({ queue: queueName, delayed: z.boolean().default(false) }))
    .output(count)
    .mutation(async ({ ctx, input }) => ({
      count: await drainQueue(ctx.services.queues(), input.queue, input.delayed),
    })),
  /** The queues' health whenever it changes; who comes back gets it as it is now. */
  watchQueues: businessProcedure
    .input(z.object({ lastEventId: z.string().nullish() }).prefault({}))
    .subscription(async function* ({ ctx }) {
      let before = ''
      while (!ctx.closing.aborted) {
        const items = z.array(queueHealth).parse(await readQueueHealth(ctx.services.queues()))
        const now = JSON.stringify(items.map(({ oldestWaitingMs: _, ...counts }) => counts))
        if (now !== before) yield tracked(String(Date.now()), { items })
        before = now
        await Bun.sleep(WATCH_MS)
      }
    }),
})
