import { loadConfig, processEnvironment } from '../src/config.ts'
import { createDeps, type Deps, startHeartbeat } from '../src/deps.ts'
import { type Consumer, createConsumer, type JobHandlers } from '../src/jobs/consumer.ts'
import type { QueueName } from '../src/jobs/registry.ts'
import { guardProcess, notifyReady, onShutdown } from '../src/lib/lifecycle.ts'

/**
 * Runs a worker process on one queue: ready once it has its connections, and, told to stop, ended once its jobs are.
 * @param setUp what else the process does; its answer undoes it, and comes first when the process stops
 */
export async function runWorker<Q extends QueueName>(
  queue: Q,
  concurrency: number,
  handlersOf: (deps: Deps) => JobHandlers<Q>,
  setUp: (deps: Deps) => Promise<void | (() => Promise<void>)> = async () => {},
): Promise<Consumer> {
  const deps = await createDeps(loadConfig(processEnvironment()), queue)
  const consumer = createConsumer({
    backend: deps.backend,
    queue,
    handlers: handlersOf(deps),
    concurrency,
    logger: deps.log,
    metrics: deps.consumerMetrics,
  })
  await consumer.ready()
  guardProcess(deps.log)
  const heartbeat = await startHeartbeat(deps, queue)
  const undo = await setUp(deps)
  onShutdown(async () => {
    await Promise.all([undo?.(), heartbeat.stop()])
    await consumer.close()
    await deps.close()
    deps.log.info('the worker has stopped')
  }, deps.log)
  deps.log.info('the worker takes jobs')
  notifyReady()
  return consumer
}
