import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

const PREFIX = 'agentlocator_'

/** The figures of one process, in Prometheus' terms. */
export type Metrics = {
  contentType: string
  /** The text that a scrape gets. */
  metrics(): Promise<string>
  httpRequests: Counter<'method' | 'route' | 'status'>
  webhookEvents: Counter<'event'>
  callsEnded: Counter<'reason'>
  greetingMs: Histogram<string>
  responseMs: Histogram<string>
  jobs: Counter<'job' | 'outcome'>
  jobsEnqueued: Counter<'job' | 'outcome'>
  /** A value read when scraped. */
  gauge(name: string, help: string, read: () => number): void
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: PREFIX })
  const registers = [registry]
  return {
    contentType: registry.contentType,
    metrics: () => registry.metrics(),
    httpRequests: new Counter({
      name: `${PREFIX}http_requests_total`,
      help: 'HTTP requests by route and status',
      labelNames: ['method', 'route', 'status'],
      registers,
    }),
    webhookEvents: new Counter({
      name: `${PREFIX}webhook_events_total`,
      help: 'Events of the carrier’s webhooks',
      labelNames: ['event'],
      registers,
    }),
    callsEnded: new Counter({
      name: `${PREFIX}calls_ended_total`,
      help: 'Calls by the reason they ended',
      labelNames: ['reason'],
      registers,
    }),
    greetingMs: new Histogram({
      name: `${PREFIX}call_greeting_milliseconds`,
      help: 'From the stream’s start to the greeting’s first audio',
      buckets: [1, 2, 5, 10, 20, 50, 100, 250, 1000],
      registers,
    }),
    responseMs: new Histogram({
      name: `${PREFIX}call_response_milliseconds`,
      help: 'From the end of the caller’s speech to the agent’s first audio, median of a call',
      buckets: [100, 250, 500, 750, 1000, 1500, 2000, 3000, 5000],
      registers,
    }),
    jobs: new Counter({
      name: `${PREFIX}jobs_total`,
      help: 'Background jobs by outcome',
      labelNames: ['job', 'outcome'],
      registers,
    }),
    jobsEnqueued: new Counter({
      name: `${PREFIX}jobs_enqueued_total`,
      help: 'Background jobs stored or refused',
      labelNames: ['job', 'outcome'],
      registers,
    }),
    gauge(name, help, read) {
      new Gauge({
        name: PREFIX + name,
        help,
        registers,
        collect() {
          this.set(read())
        },
      })
    },
  }
}
