/**
 * What a call costs the whole installation: every process that `./start_all.sh` starts, its database and its queue, by the
 * kernel's accounts, beside a bare relay with the same calls in the same run. Calls come and go: each is announced by its
 * webhook, opened with its token, lives through a dialogue of two answers and an interruption every 13 s, and is hung up.
 *
 *   bun bench/whole.ts [--calls 200] [--seconds 60] [--call-seconds 65] [--queues redis,postgres] [--one-core] [--idle]
 */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { percentile } from '../src/media/call-metrics.ts'
import { Dialogue } from './voice/dialogue.ts'
import { type CarrierCall, Load, type LoadOptions } from './voice/load.ts'
import { startRelay, takeLoadCore } from './voice/relays.ts'
import { type Installation, QUEUES, type Queue, startInstallation } from './whole/installation.ts'
import type { Account, Role } from './whole/processes.ts'

/** Between one call and the next at the start. */
const RAMP_MS = 20
/** Servers run for days, and their code is compiled in the first seconds. */
const WARM_MS = 15_000
const IDLE_MS = 60_000
const DRAIN_MS = 120_000
const SHOWN_STATEMENTS = 10

const dialogue: LoadOptions['dialogue'] = (send, heardMs, startsAt) => new Dialogue(send, heardMs, startsAt)

type Traffic = { p50: number; p99: number; lost: number; sent: number; failed: number; opened: number }

/** Keeps a number of calls alive: who hangs up is followed by a new caller. */
class Callers {
  opened = 0
  failed = 0
  readonly #due: { call: CarrierCall; at: number }[] = []
  #timer: Timer | undefined

  constructor(
    private readonly load: Load,
    private readonly callMs: number,
    private readonly completed: (call: CarrierCall) => Promise<void>,
  ) {}

  async fill(calls: number): Promise<void> {
    for (let index = 0; index < calls; index++) {
      // The first ones end one after the other, not all at once.
      await this.#open((this.callMs * (index + 1)) / calls)
      await Bun.sleep(RAMP_MS)
    }
    this.#timer = setInterval(() => this.#turnOver(), RAMP_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #open(livesMs: number): Promise<void> {
    try {
      const call = await this.load.open()
      this.opened++
      this.#due.push({ call, at: performance.now() + livesMs })
    } catch (error) {
      if (this.failed++ === 0) console.error(error)
    }
  }

  #turnOver(): void {
    const now = performance.now()
    for (const ended of this.#due.filter(({ at }) => at <= now)) {
      this.#due.splice(this.#due.indexOf(ended), 1)
      this.load.hangUp(ended.call)
      this.completed(ended.call).catch(() => this.failed++)
      void this.#open(this.callMs)
    }
  }
}

function trafficOf(load: Load, callers: Callers): Traffic {
  const ages = [...load.inMs, ...load.outMs]
  const at = (share: number) => percentile(ages, share, 1) ?? Number.NaN
  const { failed, opened } = callers
  return { p50: at(0.5), p99: at(0.99), lost: load.lostSoFar(), sent: load.sentSoFar(), failed, opened }
}

async function measureFloor(calls: number, seconds: number, callMs: number): Promise<number> {
  const load = new Load({ dialogue })
  const relay = await startRelay('bun', load.enginePort)
  load.aimAt(relay.port)
  const callers = new Callers(load, callMs, async () => {})
  try {
    await callers.fill(calls)
    await Bun.sleep(WARM_MS)
    load.forgetTimes()
    const before = await relay.usage()
    await Bun.sleep(seconds * 1_000)
    const after = await relay.usage()
    const perCallMinute = (after.cpuSeconds - before.cpuSeconds) / ((calls * seconds) / 60)
    console.log(`bare relay  ${perCallMinute.toFixed(4)} s per call-minute  ${wire(trafficOf(load, callers))}`)
    return perCallMinute
  } finally {
    callers.stop()
    load.close()
    await relay.stop()
  }
}

const wire = ({ p50, p99, lost, sent, failed, opened }: Traffic) =>
  `relay p50 ${p50} ms p99 ${p99} ms, lost ${lost} of ${sent} frames, ${opened} calls, ${failed} failed`

async function measureWhole(
  queue: Queue,
  calls: number,
  seconds: number,
  callMs: number,
  oneCore: boolean,
  floor: number,
) {
  let installation: Installation | undefined
  const load = new Load({
    dialogue,
    announce: (callSid) => installation?.announce(callSid) ?? Promise.reject(new Error('not started')),
  })
  installation = await startInstallation(queue, load.enginePort, oneCore)
  const { completed } = installation
  load.aimAt(installation.port)
  const callers = new Callers(load, callMs, ({ index }) => completed(`CA${String(index).padStart(32, '0')}`))
  try {
    await callers.fill(calls)
    await Bun.sleep(WARM_MS)
    load.forgetTimes()
    await installation.resetStatements()
    const before = installation.account()
    await Bun.sleep(seconds * 1_000)
    const after = installation.account()
    const statements = await installation.statements()
    const callMinutes = (calls * seconds) / 60
    console.log(`\n${queue}${oneCore ? ', all on one core' : ''}: ${wire(trafficOf(load, callers))}`)
    let whole = 0
    for (const [role, { cpuSeconds, pssMb, processes }] of after) {
      const cpu = (cpuSeconds - (before.get(role)?.cpuSeconds ?? 0)) / callMinutes
      whole += cpu
      if (processes > 0) row(role, cpu, floor, `${processes} processes, ${pssMb.toFixed(0)} MB`)
    }
    row('whole', whole, floor, `${sumOf(after, 'pssMb').toFixed(0)} MB`)
    for (const { query, calls: times, totalMs, rows } of statements.slice(0, SHOWN_STATEMENTS))
      console.log(
        `  ${(totalMs / callMinutes).toFixed(1).padStart(7)} ms ${(times / callMinutes).toFixed(1).padStart(6)} times ${(rows / callMinutes).toFixed(1).padStart(6)} rows a call-minute  ${query.replaceAll(/\s+/g, ' ').slice(0, 110)}`,
      )
    await drain(installation, callers, load)
  } finally {
    callers.stop()
    load.close()
    await installation.stop()
  }
}

/** Everything hangs up: how long what is still to be written takes. */
async function drain(installation: Installation, callers: Callers, load: Load): Promise<void> {
  callers.stop()
  for (const call of [...load.carriers]) load.hangUp(call)
  const startedAt = performance.now()
  while (performance.now() - startedAt < DRAIN_MS) {
    await Bun.sleep(500)
    if ((await installation.metric('agentlocator_queue_depth')) === 0) {
      console.log(`  its backlog was gone after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`)
      return
    }
  }
  console.log(`  its backlog was not gone after ${DRAIN_MS / 1_000} s`)
}

async function measureIdle(queue: Queue): Promise<void> {
  const installation = await startInstallation(queue, 9, false)
  try {
    await Bun.sleep(WARM_MS)
    await installation.resetStatements()
    const before = installation.account()
    await Bun.sleep(IDLE_MS)
    const after = installation.account()
    console.log(`\n${queue}, idle: a share of one core`)
    for (const [role, { cpuSeconds, pssMb, processes }] of after)
      if (processes > 0)
        share(role, cpuSeconds - (before.get(role)?.cpuSeconds ?? 0), `${processes} processes, ${pssMb.toFixed(0)} MB`)
    share('whole', sumOf(after, 'cpuSeconds') - sumOf(before, 'cpuSeconds'), `${sumOf(after, 'pssMb').toFixed(0)} MB`)
    for (const { query, calls, totalMs } of (await installation.statements()).slice(0, SHOWN_STATEMENTS))
      console.log(
        `  ${totalMs.toFixed(1).padStart(7)} ms ${String(calls).padStart(5)} times a minute  ${query.replaceAll(/\s+/g, ' ').slice(0, 110)}`,
      )
  } finally {
    await installation.stop()
  }
}

function row(name: Role | 'whole', cpu: number, floor: number, rest: string): void {
  console.log(`  ${name.padEnd(11)} ${cpu.toFixed(4)} s per call-minute = ${(cpu / floor).toFixed(2)} × bare   ${rest}`)
}

function share(name: Role | 'whole', cpuSeconds: number, rest: string): void {
  console.log(`  ${name.padEnd(11)} ${((cpuSeconds / (IDLE_MS / 1_000)) * 100).toFixed(2)} %   ${rest}`)
}

function sumOf(account: Account, what: 'cpuSeconds' | 'pssMb'): number {
  return [...account.values()].reduce((sum, each) => sum + each[what], 0)
}

async function main() {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '60' },
      'call-seconds': { type: 'string', default: '65' },
      queues: { type: 'string', default: QUEUES.join() },
      'one-core': { type: 'boolean', default: false },
      idle: { type: 'boolean', default: false },
    },
  })
  const queues = z.array(z.enum(QUEUES)).parse(values.queues.split(','))
  if (values.idle) {
    for (const queue of queues) await measureIdle(queue)
    return
  }
  if (values['one-core']) takeLoadCore()
  const [calls, seconds, callMs] = [
    Number(values.calls),
    Number(values.seconds),
    Number(values['call-seconds']) * 1_000,
  ]
  const floor = await measureFloor(calls, seconds, callMs)
  for (const queue of queues) await measureWhole(queue, calls, seconds, callMs, values['one-core'], floor)
}

if (import.meta.main) await main()
