import {
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from 'prom-client'

const PREFIX = 'agentlocator_'

/** Each label's values and maximum; more are `other`, since every series costs memory, and time at each scrape. */
export const LABELS = {
  method: { max: 10, values: 'HTTP methods that the server knows' },
  route: { max: 500, values: 'patterns of registered routes' },
  status: { max: 60, values: 'HTTP status codes that handlers answer' },
  event: { max: 30, values: 'counted events of the carrier' },
  reason: { max: 40, values: 'reasons for which calls end' },
  business: { max: 500, values: 'businesses, which operators create' },
  what: { max: 20, values: 'kinds of failures with call traces' },
  job: { max: 150, values: 'jobs and queues of the registry' },
  outcome: { max: 20, values: 'outcomes of jobs' },
  how: { max: 10, values: 'where an event was stored' },
} as const satisfies Record<string, { max: number; values: string }>

type Labels<Name extends string> = Partial<Record<Name, string | number>>

class LabelBounds {
  readonly #seen = new Map<string, Set<string>>()

  bound<Name extends string>(labels: Labels<Name>): Labels<Name> {
    const bounded: Labels<Name> = {}
    for (const name in labels) bounded[name] = this.#boundValue(name, String(labels[name]))
    return bounded
  }

  #boundValue(name: string, value: string): string {
    const seen = this.#seen.get(name) ?? new Set<string>()
    this.#seen.set(name, seen)
    if (seen.has(value)) return value
    const limits: Readonly<Record<string, { max: number }>> = LABELS
    if (seen.size >= (limits[name]?.max ?? 0)) return 'other'
    seen.add(value)
    return value
  }
}

type LabelName = keyof typeof LABELS

export type BoundedCounter<Name extends LabelName> = {
  inc(labels: Labels<Name>, by?: number): void
  get: Counter<Name>['get']
}
export type BoundedHistogram<Name extends LabelName> = { observe(labels: Labels<Name>, value: number): void }

export type Metrics = {
  contentType: string
  metrics(): Promise<string>
  labels(): { name: string; labels: readonly string[] }[]
  httpRequests: BoundedCounter<'method' | 'route' | 'status'>
  webhookEvents: BoundedCounter<'event'>
  callsEnded: BoundedCounter<'reason'>
  greetingMs: Histogram<string>
  responseMs: BoundedHistogram<'business'>
  clearMs: Histogram<string>
  relayInUs: Histogram<string>
  relayOutUs: Histogram<string>
  engineCostMicroUsd: BoundedCounter<'business'>
  engineFailures: Counter<string>
  traceTrouble: BoundedCounter<'what'>
  jobs: BoundedCounter<'job' | 'outcome'>
  jobsEnqueued: BoundedCounter<'job' | 'outcome'>
  eventsAccepted: BoundedCounter<'job' | 'how'>
  gauge(name: string, help: string, read: () => number): void
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  // The timer wakes an idle process every 10 ms by default, which costs 0.5 % of a core.
  collectDefaultMetrics({ register: registry, prefix: PREFIX, eventLoopMonitoringPrecision: 100 })
  const registers = [registry]
  const instruments = createInstruments(registers)
  const { boundedCounter } = instruments
  return {
    contentType: registry.contentType,
    metrics: () => registry.metrics(),
    labels: () =>
      registry.getMetricsAsArray().map((metric) => ({ name: metric.name, labels: Reflect.get(metric, 'labelNames') })),
    httpRequests: boundedCounter({
      name: `${PREFIX}http_requests_total`,
      help: 'HTTP requests by route and status',
      labelNames: ['method', 'route', 'status'],
    }),
    webhookEvents: boundedCounter({
      name: `${PREFIX}webhook_events_total`,
      help: 'Events of the carrier’s webhooks',
      labelNames: ['event'],
    }),
    ...callMetrics(instruments),
    ...jobMetrics(instruments),
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

type Instruments = ReturnType<typeof createInstruments>

function createInstruments(registers: Registry[]) {
  return {
    registers,
    boundedCounter<Name extends LabelName>(options: CounterConfiguration<Name> & { labelNames: Name[] }) {
      const counter = new Counter<Name>({ ...options, registers })
      const bounds = new LabelBounds()
      return {
        inc: (labels: Labels<Name>, by?: number) => counter.inc(bounds.bound(labels), by),
        get: () => counter.get(),
      }
    },
    boundedHistogram<Name extends LabelName>(options: HistogramConfiguration<Name> & { labelNames: Name[] }) {
      const histogram = new Histogram<Name>({ ...options, registers })
      const bounds = new LabelBounds()
      return { observe: (labels: Labels<Name>, value: number) => histogram.observe(bounds.bound(labels), value) }
    },
  }
}

function callMetrics({ registers, boundedCounter, boundedHistogram }: Instruments) {
  return {
    callsEnded: boundedCounter({
      name: `${PREFIX}calls_ended_total`,
      help: 'Calls by the reason they ended',
      labelNames: ['reason'],
    }),
    greetingMs: new Histogram({
      name: `${PREFIX}call_greeting_milliseconds`,
      help: 'From the stream’s start to the greeting’s first audio',
      buckets: [1, 2, 5, 10, 20, 50, 100, 250, 1000],
      registers,
    }),
    responseMs: boundedHistogram({
      name: `${PREFIX}call_response_milliseconds`,
      help: 'From the end of the caller’s speech to the agent’s first audio, median of a call',
      buckets: [100, 250, 500, 750, 1000, 1500, 2000, 3000, 5000],
      labelNames: ['business'],
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
    engineCostMicroUsd: boundedCounter({
      name: `${PREFIX}engine_cost_microusd_total`,
      help: 'Cost of the speech engine in millionths of a US dollar',
      labelNames: ['business'],
    }),
    engineFailures: new Counter({
      name: `${PREFIX}engine_failures_total`,
      help: 'Speech engines that failed during a call',
      registers,
    }),
    traceTrouble: boundedCounter({
      name: `${PREFIX}call_trace_trouble_total`,
      help: 'Call traces: writes that the disk refused, traces stored from memory instead, traces lost',
      labelNames: ['what'],
    }),
  }
}

function jobMetrics({ boundedCounter }: Instruments) {
  return {
    jobs: boundedCounter({
      name: `${PREFIX}jobs_total`,
      help: 'Background jobs by outcome',
      labelNames: ['job', 'outcome'],
    }),
    jobsEnqueued: boundedCounter({
      name: `${PREFIX}jobs_enqueued_total`,
      help: 'Background jobs stored or refused',
      labelNames: ['job', 'outcome'],
    }),
    eventsAccepted: boundedCounter({
      name: `${PREFIX}events_accepted_total`,
      help: 'Events by where they were stored: in the database, in the queue only, or refused',
      labelNames: ['job', 'how'],
    }),
  }
}
