import { statfs } from 'node:fs/promises'
import type { Deps } from '../src/composition/deps.ts'
import {
  type Found,
  isDue,
  isWatched,
  reachOf,
  reportInstallation,
  runAlerts,
  sendOverdue,
  watchBusinesses,
} from '../src/domain/alerts/index.ts'
import { listBusinesses } from '../src/domain/businesses/index.ts'
import { countEvents } from '../src/domain/inbox/index.ts'
import { lastBackup } from '../src/domain/system/index.ts'
import { readQueueHealth } from '../src/jobs/inspect.ts'
import { errorMessage } from '../src/lib/errors.ts'
import { cutText } from '../src/lib/text.ts'
import { waitAtMost } from '../src/lib/wait-at-most.ts'
import { findingsOf } from '../src/processes/doctor/findings.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A finding is looked at again so soon, since one alone is no alert. */
const AGAIN_MS = 5 * 60_000
const STUCK_MS = 10 * 60_000
const QUEUE_MS = 3_000
const FULL_PERCENT = 92
const GB = 1024 ** 3
const LEAST_FREE_GB = 1
const BACKUP_DAYS = 8
const TIMER_MS = 30_000

/**
 * Looks at what can be wrong without an event. It came through the queue and has written to the database: with that the dead
 * man's switch is pinged.
 */
export async function watchRound(deps: Deps): Promise<void> {
  const { ctx, alerts, pingHeartbeat } = deps
  await watchBusinesses(ctx, alerts)
  await reportInstallation(ctx, ['disk_filling'], await examineDisk(deps), alerts)
  const queues = await examineQueuesInTime(deps)
  await reportInstallation(ctx, ['queue_stuck'], queues.found, alerts)
  // The sandbox is no one's installation: it has no backups and no certificate.
  if (!deps.config.sandbox) await watchSetup(deps)
  await runAlerts(ctx, reachOf(alerts), alerts.now())
  if (queues.failure) throw queues.failure
  if (!pingHeartbeat || !(await isDue(ctx, 'heartbeat', 30_000, alerts.now()))) return
  await pingHeartbeat().catch((error: unknown) =>
    ctx.log.warn({ error: errorMessage(error) }, 'the heartbeat could not be sent'),
  )
}

/** Backups, and every hour what `doctor` finds; after a finding sooner. */
async function watchSetup(deps: Deps): Promise<void> {
  const { ctx, alerts } = deps
  const now = alerts.now()
  await reportInstallation(ctx, ['backup_missing'], await examineBackups(deps, now), alerts)
  const every = (await isWatched(ctx, 'misconfigured')) ? AGAIN_MS : HOUR_MS
  if (!(await isDue(ctx, 'doctor', every, now))) return
  const problems = (await findingsOf(deps)).filter(({ state }) => state === 'problem')
  const found = problems.map((problem): Found => {
    const check = cutText(problem.check, 120)
    const facts = { check, found: cutText(problem.found, 200), advice: cutText(problem.advice ?? '', 200) }
    return { kind: 'misconfigured', subject: check, facts }
  })
  await reportInstallation(ctx, ['misconfigured'], found, alerts)
}

async function examineDisk({ config }: Deps): Promise<Found[]> {
  const { bsize, blocks, bavail } = await statfs(config.dataDir)
  const percent = Math.round((1 - bavail / Math.max(1, blocks)) * 100)
  const free = (bavail * bsize) / GB
  if (percent < FULL_PERCENT && free >= LEAST_FREE_GB) return []
  return [{ kind: 'disk_filling', subject: 'data', facts: { percent, free: Math.round(free * 10) / 10 } }]
}

async function examineQueues({ ctx, producer, alerts }: Deps): Promise<Found[]> {
  const [queues, events] = await Promise.all([readQueueHealth(producer.queues), countEvents(ctx)])
  const now = alerts.now().getTime()
  const waited = Math.max(
    ...queues.map(({ oldestWaitingMs }) => oldestWaitingMs ?? 0),
    events.oldest ? now - events.oldest.getTime() : 0,
  )
  if (waited < STUCK_MS) return []
  return [{ kind: 'queue_stuck', subject: 'queues', facts: { minutes: Math.round(waited / 60_000) } }]
}

/** A queue that does not answer within a bound is away: a stopping worker waits for no longer. */
async function examineQueuesInTime(deps: Deps): Promise<{ found: Found[]; failure: unknown }> {
  const away = (failure: unknown) => ({
    found: [{ kind: 'queue_stuck' as const, subject: 'queues', facts: { minutes: 0 } }],
    failure,
  })
  const examined = examineQueues(deps).then((found) => ({ found, failure: null }), away)
  return (await waitAtMost(examined, QUEUE_MS)) ?? away(new Error(`The queue did not answer within ${QUEUE_MS} ms.`))
}

async function examineBackups({ ctx }: Deps, now: Date): Promise<Found[]> {
  const [[first], last] = await Promise.all([listBusinesses(ctx), lastBackup(ctx)])
  const since = last?.at ?? first?.createdAt
  if (!since || now.getTime() - since.getTime() < BACKUP_DAYS * DAY_MS) return []
  const days = last ? Math.floor((now.getTime() - last.at.getTime()) / DAY_MS) : 0
  return [{ kind: 'backup_missing', subject: 'backup', facts: { days } }]
}

/**
 * Does what is due, and sends what the queue has not sent, beside the queue: that it is stuck must not keep its own alert back.
 */
export function startAlertTimer(deps: Deps): { stop(): Promise<void> } {
  const { ctx, alerts } = deps
  let running: Promise<void> | null = null
  const round = async () => {
    try {
      const { found } = await examineQueuesInTime(deps)
      await reportInstallation(ctx, ['queue_stuck'], found, alerts)
      await runAlerts(ctx, reachOf(alerts), alerts.now())
    } catch (error) {
      ctx.log.warn({ error: errorMessage(error) }, 'a round of alerts failed')
    }
    await sendOverdue(ctx, alerts).catch((error: unknown) =>
      ctx.log.warn({ error: errorMessage(error) }, 'alerts could not be sent beside the queue'),
    )
  }
  const timer = setInterval(() => {
    running ??= round().finally(() => {
      running = null
    })
  }, TIMER_MS)
  return {
    async stop() {
      clearInterval(timer)
      await running
    },
  }
}
