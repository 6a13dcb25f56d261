import { AppError } from '../lib/errors.ts'
import type { JobQueue } from './backend.ts'
import { redactPayload, redactReason } from './redact.ts'
import { QUEUES, type QueueName } from './registry.ts'

export type QueueHealth = {
  name: QueueName
  waiting: number
  active: number
  delayed: number
  completed: number
  failed: number
  paused: boolean
  /** The age of the oldest waiting job in ms; null when none waits. */
  oldestWaitingMs: number | null
}

export type FailedJob = {
  id: string
  name: string
  attempts: number
  reason: string
  payload: unknown
  enqueuedAt: Date
  failedAt: Date | null
}

export async function readQueueHealth(queues: JobQueue[]): Promise<QueueHealth[]> {
  return await Promise.all(
    queues.map(async (queue) => {
      const [counts, oldest, paused] = await Promise.all([
        queue.getJobCounts('waiting', 'active', 'delayed', 'completed', 'failed', 'prioritized'),
        queue.getJobs(['waiting'], 0, 0, true),
        queue.isPaused(),
      ])
      return {
        name: nameOf(queue),
        waiting: (counts.waiting ?? 0) + (counts.prioritized ?? 0),
        active: counts.active ?? 0,
        delayed: counts.delayed ?? 0,
        completed: counts.completed ?? 0,
        failed: counts.failed ?? 0,
        paused,
        oldestWaitingMs: oldest[0] ? Math.max(0, Date.now() - oldest[0].timestamp) : null,
      }
    }),
  )
}

/** The failed jobs of a queue, the latest first. @throws AppError `queue_not_found` */
export async function readFailedJobs(queues: JobQueue[], name: string, limit: number): Promise<FailedJob[]> {
  const jobs = await find(queues, name).getJobs(['failed'], 0, limit - 1, false)
  return jobs.map((job) => ({
    id: job.id ?? '',
    name: job.name,
    attempts: job.attemptsMade,
    reason: redactReason(job.failedReason ?? ''),
    payload: redactPayload(job.data),
    enqueuedAt: new Date(job.timestamp),
    failedAt: job.finishedOn ? new Date(job.finishedOn) : null,
  }))
}

/**
 * Retries one or all failed jobs. @returns how many @throws AppError `queue_not_found`, `job_not_found`, `job_not_failed`
 */
export async function retryFailedJobs(queues: JobQueue[], name: string, jobId?: string): Promise<number> {
  const queue = find(queues, name)
  if (jobId === undefined) {
    const jobs = await queue.getJobs(['failed'], 0, 999, true)
    await Promise.all(jobs.map((job) => job.retry('failed', { resetAttemptsMade: true })))
    return jobs.length
  }
  const job = await queue.getJob(jobId)
  if (!job)
    throw new AppError('not_found', 'job_not_found', 'There is no job with this id. List the failed jobs of the queue.')
  if (!(await job.isFailed()))
    throw new AppError('conflict', 'job_not_failed', 'The job has not failed. Only failed jobs can be retried.')
  await job.retry('failed', { resetAttemptsMade: true })
  return 1
}

/** Deletes the waiting jobs of a queue, and on request the delayed ones. @throws AppError `queue_not_found` */
export async function drainQueue(queues: JobQueue[], name: string, delayed: boolean): Promise<number> {
  const queue = find(queues, name)
  const before = await queue.getJobCounts('waiting', 'prioritized', 'delayed')
  await queue.drain(delayed)
  const after = await queue.getJobCounts('waiting', 'prioritized', 'delayed')
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, count) => total + count, 0)
  return Math.max(0, sum(before) - sum(after))
}

const FORGET_PAGE = 500

/**
 * Removes finished and failed jobs of a business (by mention alone without one) that name a person: numbers, ids, call SIDs.
 * `before` gets failed ones, whose work was not done. @returns how many
 */
export async function forgetJobs(
  queues: JobQueue[],
  businessId: string,
  mentions: string[],
  before: (jobs: { name: string; data: unknown }[]) => Promise<void> = async () => {},
): Promise<number> {
  const found: { name: string; data: unknown; failedReason?: string; remove(): Promise<unknown> }[] = []
  for (const queue of queues)
    for (let at = 0; ; at += FORGET_PAGE) {
      const jobs = await queue.getJobs(['completed', 'failed'], at, at + FORGET_PAGE - 1)
      for (const job of jobs) {
        const payload = JSON.stringify(job.data)
        const ours = !payload.includes('"businessId"') || payload.includes(`"${businessId}"`)
        if (ours && mentions.some((mention) => payload.includes(mention))) found.push(job)
      }
      // A page has two states: only an empty one is the last.
      if (jobs.length === 0) break
    }
  await before(found.filter((job) => job.failedReason))
  for (const job of found) await job.remove()
  return found.length
}

function find(queues: JobQueue[], name: string): JobQueue {
  const queue = queues.find((candidate) => candidate.name === name)
  if (!queue)
    throw new AppError(
      'not_found',
      'queue_not_found',
      `There is no queue ${name}. The queues are ${QUEUES.join(', ')}.`,
      { field: 'queue' },
    )
  return queue
}

function nameOf(queue: JobQueue): QueueName {
  const name = QUEUES.find((candidate) => candidate === queue.name)
  if (!name) throw new Error(`The queue ${queue.name} is unknown.`)
  return name
}
