import { tracked } from '@trpc/server'
import { z } from 'zod'
import { backupView, findingView, lastBackup, processesAlive } from '../domain/system/index.ts'
import { drainQueue, readFailedJobs, readQueueHealth, retryFailedJobs } from '../jobs/inspect.ts'
import { QUEUES } from '../jobs/registry.ts'
import { businessProcedure, onePage, pageOf, router } from './trpc.ts'

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
const failedJob = z.object({
  id: z.string(),
  name: z.string(),
  attempts: z.number(),
  reason: z.string(),
  payload: z.unknown(),
  enqueuedAt: z.date(),
  failedAt: z.date().nullable(),
})
const count = z.object({ count: z.number() })

const watchItem = z.object({ id: z.string(), data: z.object({ items: z.array(queueHealth) }) })

const WATCH_MS = 2_000

export const systemRouter = router({
  processes: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/system/processes',
        tag: 'System',
        summary: 'Count the running processes',
        description: 'By kind.',
      },
    })
    .output(z.record(z.string(), z.number()))
    .query(({ ctx }) => processesAlive(ctx.business)),
  doctor: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/system/doctor',
        tag: 'System',
        summary: 'Examine the installation',
        description:
          'What was checked, what was found, and what to do. Takes some seconds; answers are kept for 20 seconds.',
      },
    })
    .output(pageOf(findingView))
    .query(({ ctx }) => ctx.services.cache.get('doctor', async () => onePage(await ctx.services.examine()))),
  backup: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/system/backup',
        tag: 'System',
        summary: 'Get the last backup',
        description: 'Null when the command `backup` has written none.',
      },
    })
    .output(backupView.nullable())
    .query(({ ctx }) => lastBackup(ctx.business)),
  queues: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/system/queues', tag: 'System', summary: 'List the queues' } })
    .output(pageOf(queueHealth))
    .query(async ({ ctx }) => onePage(await readQueueHealth(ctx.services.queues()))),
  failedJobs: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/system/queues/{queue}/failed-jobs',
        tag: 'System',
        summary: 'List the failed jobs of a queue',
        description: 'The latest ones with their reasons. Personal data is redacted.',
      },
    })
    .input(z.object({ queue: queueName, limit: z.coerce.number().int().min(1).max(200).default(50) }))
    .output(pageOf(failedJob))
    .query(async ({ ctx, input }) => onePage(await readFailedJobs(ctx.services.queues(), input.queue, input.limit))),
  retryJobs: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/system/queues/{queue}/retry',
        tag: 'System',
        summary: 'Retry failed jobs of a queue',
        description: 'The job with this `jobId`, or all failed jobs of the queue.',
        example: { jobId: 'message.send-1042' },
      },
    })
    .input(z.object({ queue: queueName, jobId: z.string().min(1).max(200).optional() }))
    .output(count)
    .mutation(async ({ ctx, input }) => ({
      count: await retryFailedJobs(ctx.services.queues(), input.queue, input.jobId),
    })),
  drainQueue: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/system/queues/{queue}/drain',
        tag: 'System',
        summary: 'Delete the waiting jobs of a queue',
        description: 'With `delayed`, delayed jobs too.',
        example: { delayed: false },
      },
    })
    .input(z.object({ queue: queueName, delayed: z.boolean().default(false) }))
    .output(count)
    .mutation(async ({ ctx, input }) => ({
      count: await drainQueue(ctx.services.queues(), input.queue, input.delayed),
    })),
  watchQueues: businessProcedure
    .meta({ stream: { summary: 'The health of the queues, now and whenever it changes.', item: watchItem } })
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
