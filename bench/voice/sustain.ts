import { percentile } from '../../src/media/call-metrics.ts'
import { Load } from './load.ts'
import { type Mode, type Relay, startRelay } from './relays.ts'

const FIRST = 300
const STEP = 100
const FINE_STEP = 50
const SETTLE_MS = 2_000
const WINDOW_MS = 5_000
const MAX_CALLS = 2_000
/** Share of the time that a relay was ready and another process had its core: above that, a step says little. */
const BUSY = 0.15
const MAX_ATTEMPTS = 4

type Step = {
  calls: number
  inP99: number
  outP99: number
  lost: number
  lateP99: number
  cpu: number
  waited: number
  kept: boolean
}

/**
 * How many calls each relay keeps up with: the most at which no numbered frame is lost and 99 of 100 frames are through within
 * `limitMs`, both ways, over a window of five seconds. Calls are added a hundred at a time until that fails, then the step
 * before it is refined by half of that. On a machine that does other things too, compare what each step says it waited for.
 */
export async function sustain(modes: readonly Mode[], limitMs: number): Promise<void> {
  const found = new Map<Mode, number>()
  for (const mode of modes) {
    found.set(mode, await sustainedBy(mode, limitMs))
    const floor = found.get('bun')
    const calls = found.get(mode) ?? 0
    console.log(`${mode.padEnd(8)} sustains ${calls} calls${floor ? ` = ${(calls / floor).toFixed(2)} × bun` : ''}`)
  }
}

async function sustainedBy(mode: Mode, limitMs: number): Promise<number> {
  let kept = 0
  for (const step of [STEP, FINE_STEP]) {
    const load = new Load()
    const relay = await startRelay(mode, load.enginePort)
    load.aimAt(relay.port)
    try {
      for (let calls = kept === 0 ? FIRST : kept + step; calls <= MAX_CALLS; calls += step) {
        await openUpTo(load, calls)
        await Bun.sleep(SETTLE_MS)
        if (!(await keepsUp(mode, load, relay, calls, limitMs))) break
        kept = calls
        if (step === FINE_STEP) break
      }
    } finally {
      load.close()
      await Bun.sleep(200)
      await relay.stop()
    }
    if (kept === 0) return 0
  }
  return kept
}

/** Repeats a failed step once, and a few times more while other processes held the core. */
async function keepsUp(mode: Mode, load: Load, relay: Relay, calls: number, limitMs: number): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const step = await look(load, relay, calls, limitMs)
    show(mode, step)
    if (step.kept) return true
    if (attempt >= (step.waited > BUSY ? MAX_ATTEMPTS : 2)) return false
  }
}

async function openUpTo(load: Load, calls: number): Promise<void> {
  while (load.carriers.length < calls) {
    await load.open()
    await Bun.sleep(4)
  }
}

async function look(load: Load, relay: Pick<Relay, 'usage'>, calls: number, limitMs: number): Promise<Step> {
  load.forgetTimes()
  const lostBefore = load.lostSoFar()
  const sentBefore = load.sentSoFar()
  const before = await relay.usage()
  await Bun.sleep(WINDOW_MS)
  const after = await relay.usage()
  const p99 = (values: number[]) => percentile(values, 0.99, 1) ?? Number.POSITIVE_INFINITY
  const inP99 = p99(load.inMs)
  const outP99 = p99(load.outMs)
  const lost = load.lostSoFar() - lostBefore
  // What is still under way when the window ends would take longer than the window's slowest.
  const behind = load.sentSoFar() - sentBefore - load.inMs.length - load.outMs.length
  return {
    calls,
    inP99,
    outP99,
    lost,
    lateP99: p99(load.lateMs),
    cpu: (after.cpuSeconds - before.cpuSeconds) / (WINDOW_MS / 1_000),
    waited: (after.waitedSeconds - before.waitedSeconds) / (WINDOW_MS / 1_000),
    kept:
      inP99 <= limitMs && outP99 <= limitMs && lost === 0 && behind <= (load.inMs.length + load.outMs.length) * 0.02,
  }
}

function show(mode: Mode, step: Step): void {
  const ms = (value: number) => value.toFixed(1).padStart(7)
  console.log(
    `${mode.padEnd(8)} ${String(step.calls).padStart(5)} calls  in p99 ${ms(step.inP99)} ms  out p99 ${ms(step.outP99)} ms  lost ${step.lost}  core ${(step.cpu * 100).toFixed(0)} %, waited for it ${(step.waited * 100).toFixed(0)} %  load late p99 ${ms(step.lateP99)} ms  ${step.kept ? 'kept' : 'not kept'}`,
  )
}
