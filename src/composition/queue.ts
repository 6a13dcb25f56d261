import { join } from 'node:path'
import type { DatabaseHandle } from '../../db/client.ts'
import type { Config } from '../config.ts'
import { insertEvents } from '../domain/inbox/index.ts'
import { createQueueBackend } from '../jobs/backend.ts'
import { createInbox } from '../jobs/inbox.ts'
import { createProducer } from '../jobs/producer.ts'
import { createSpool } from '../jobs/spool.ts'
import type { Logger } from '../lib/log.ts'
import type { Metrics } from '../observability/metrics.ts'

/**
 * The queue, its producer and the inbox; `spools` writes events to disk before acknowledging. @throws AppError `unavailable`
 */
export async function createQueue(options: {
  config: Config
  databaseUrl: string
  database: DatabaseHandle
  log: Logger
  metrics: Metrics
  spools: boolean
}) {
  const { config, databaseUrl, database, log, metrics } = options
  const backend = await createQueueBackend(
    config.queue.kind === 'redis' ? config.queue : { kind: 'postgres', databaseUrl },
    { logger: log },
  )
  const producer = createProducer(backend, log, {
    metrics: { jobEnqueued: (job, outcome) => metrics.jobsEnqueued.inc({ job, outcome }) },
  })
  const inbox = createInbox({
    insert: (rows) => insertEvents({ db: database.db }, rows),
    producer,
    log,
    spool: options.spools ? createSpool(join(config.dataDir, 'inbound-events'), log) : null,
    onAccepted: (job, how) => metrics.eventsAccepted.inc({ job, how }),
  })
  metrics.gauge('outbox_depth', 'Jobs that wait in memory for the queue to come back', () => producer.outbox.depth)
  metrics.gauge('outbox_dropped', 'Jobs that the full outbox had to drop', () => producer.outbox.dropped)
  metrics.gauge(
    'events_unstored',
    'Acknowledged events that are not in the database or the queue yet',
    () => inbox.waiting,
  )
  return { backend, producer, inbox }
}
