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
  responseMs: Histogram<'business'>
  clearMs: Histogram<string>
  relayInUs: Histogram<string>
  relayOutUs: Histogram<string>
  engineCostMicroUsd: Counter<'business'>
  engineFailures: Counter<string>
  recordTrouble: Counter<'what'>
  jobs: Counter<'job' | 'outcome'>
  jobsEnqueued: Counter<'job' | 'outcome'>
  eventsAccepted: Counter<'job' | 'how'>
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
      labelNames: ['business'],
      registers,
    }),
    clearMs: new Histogram({
      name: `${PREFIX}call_clear_milliseconds`,
      help: 'From the engine’s speech start to the clear, 95th percentile of a call',
      buckets: [0.5, 1, 2, 5, 10, 20, 50, 100],
      registers,
    }),
    relayInUs: new Histogram({
      name: `${PREFIX}call_relay_in_microseconds`,
      help: 'A caller’s frame on its way to the engine, 95th percentile of a call',
      buckets: [5, 10, 25, 50, 100, 250, 1000, 10000],
      registers,
    }),
    relayOutUs: new Histogram({
      name: `${PREFIX}call_relay_out_microseconds`,
      help: 'A piece of the engine on its way to the caller, 95th percentile of a call',
      buckets: [5, 10, 25, 50, 100, 250, 1000, 10000],
      registers,
    }),
    engineCostMicroUsd: new Counter({
      name: `${PREFIX}engine_cost_microusd_total`,
      help: 'What the speech engine cost, in millionths of a US dollar',
      labelNames: ['business'],
      registers,
    }),
    engineFailures: new Counter({
      name: `${PREFIX}engine_failures_total`,
      help: 'Speech engines that failed in mid-call',
      registers,
    }),
    recordTrouble: new Counter({
      name: `${PREFIX}call_record_trouble_total`,
      help: 'Records of calls: writes that the disk refused, records stored from memory for that, records lost',
      labelNames: ['what'],
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
    eventsAccepted: new Counter({
      name: `${PREFIX}events_accepted_total`,
      help: 'Events that were acknowledged: stored in the database, held by the queue alone, or refused',
      labelNames: ['job', 'how'],
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
