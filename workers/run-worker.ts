import { createDeps, type Deps } from '../src/composition/deps.ts'
import { loadConfig, processEnvironment } from '../src/config.ts'
import type { DomainContext } from '../src/domain/context.ts'
import { finishEvents, loadEvent, setAside } from '../src/domain/inbox/index.ts'
import type { ProcessKind } from '../src/domain/system/index.ts'
import { type Consumer, createConsumer, type EventStore, type JobHandlers } from '../src/jobs/consumer.ts'
import type { QueueName } from '../src/jobs/registry.ts'
import { createGatherer } from '../src/lib/batcher.ts'
import { guardProcess, notifyReady, onShutdown } from '../src/lib/lifecycle.ts'
import { lowerPriority } from '../src/lib/process-priority.ts'
import { startHeartbeat } from '../src/processes/heartbeat.ts'

/** Runs a worker on one queue; it stops after its jobs. The result of `setUp` stops what else it does, first. */
export async function runWorker<Q extends QueueName & ProcessKind>(
  queue: Q,
  concurrency: number,
  handlersOf: (deps: Deps) => JobHandlers<Q>,
  setUp: (deps: Deps) => Promise<void | (() => Promise<void>)> = async () => {},
): Promise<Consumer> {
  const deps = await createDeps(loadConfig(processEnvironment()), queue)
  // Below the web servers, whose calls are in real time: by default a third of what these get.
  lowerPriority(deps.config.workerNiceness, deps.log)
  const consumer = openConsumer(deps, queue, concurrency, handlersOf(deps))
  await consumer.ready()
  guardProcess(deps.log)
  const heartbeat = await startHeartbeat(deps, queue)
  const undo = await setUp(deps)
  onShutdown(async () => {
    await Promise.all([undo?.(), heartbeat.stop()])
    await consumer.close()
    await deps.close()
    deps.log.info('worker stopped')
  }, deps.log)
  deps.log.info('worker started')
  notifyReady()
  return consumer
}

export function openConsumer<Q extends QueueName>(
  deps: Deps,
  queue: Q,
  concurrency: number,
  handlers: JobHandlers<Q>,
): Consumer {
  return createConsumer({
    backend: deps.backend,
    queue,
    handlers,
    concurrency,
    logger: deps.log,
    metrics: deps.consumerMetrics,
    events: openEventStore(deps.ctx),
  })
}

export function openEventStore(ctx: DomainContext): EventStore {
  // Jobs end concurrently: their rows go in one statement.
  const finished = createGatherer<string>((ids) => finishEvents(ctx, ids), { max: 500, isPoisoned: () => false })
  return {
    load: (id) => loadEvent(ctx, id),
    finish: (id) => finished.put(id),
    setAside: (entry) => setAside(ctx, entry),
  }
}
