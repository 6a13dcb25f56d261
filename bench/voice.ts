/**
 * What a call costs: this product beside a bare relay on Bun and one on Node, in one run. Every call has 20 ms frames both ways
 * in real time, each of them numbered and timed; the carrier's and the engine's ends live in this process, each relay in its own.
 *
 *   bun bench/voice.ts [--calls 50] [--seconds 15] [--rounds 1] [--modes bun,node,product]
 *   bun bench/voice.ts --sustain [--limit 100] [--modes bun,product]     how many calls each of them keeps up with
 */
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { percentile } from '../src/media/call-metrics.ts'
import { textFrame } from './voice/frames.ts'
import { type EngineCall, Load, type Tally } from './voice/load.ts'
import { MODES, type Mode, startRelay, takeLoadCore } from './voice/relays.ts'
import { sustain } from './voice/sustain.ts'

/** Between one call and the next: 250 calls a second. */
const RAMP_MS = 4

/** Before the measurements are taken: servers run for days, and their code is compiled in the first seconds. */
const WARM_MS = 10_000

type Measurement = {
  cpuPerCallMinute: number
  inP50: number
  inP99: number
  outP50: number
  outP99: number
  framesIn: Tally
  framesOut: Tally
  kbPerCall: number
  lateP99: number
  waited: number
  greetingP99: number | null
  clearP99: number | null
}

async function measure(mode: Mode, calls: number, seconds: number): Promise<Measurement> {
  const load = new Load()
  const relay = await startRelay(mode, load.enginePort)
  load.aimAt(relay.port)
  try {
    const idle = await relay.usage()
    for (let i = 0; i < calls; i++) {
      await load.open()
      await Bun.sleep(RAMP_MS)
    }
    await Bun.sleep(WARM_MS)

    load.forgetTimes()
    const before = await relay.usage()
    await Bun.sleep(seconds * 1_000)
    const after = await relay.usage()
    const { inMs, outMs, lateMs } = load
    load.forgetTimes()

    load.engineTalks(false)
    await Bun.sleep(500)
    const framesOut = load.framesOut()
    // The callers speak on while they interrupt, so the other way is counted last.
    const clears = mode === 'product' ? await interruptAll(load) : []
    load.hushCallers()
    await Bun.sleep(500)
    const framesIn = load.framesIn()

    const at = (values: number[], share: number) => percentile(values, share, 2) ?? Number.NaN
    const greetings = load.carriers.flatMap((each) => (each.greetingMs === null ? [] : [each.greetingMs]))
    return {
      cpuPerCallMinute: (after.cpuSeconds - before.cpuSeconds) / ((calls * seconds) / 60),
      inP50: at(inMs, 0.5),
      inP99: at(inMs, 0.99),
      outP50: at(outMs, 0.5),
      outP99: at(outMs, 0.99),
      framesIn,
      framesOut,
      kbPerCall: (after.rss - idle.rss) / 1024 / calls,
      lateP99: at(lateMs, 0.99),
      waited: (after.waitedSeconds - before.waitedSeconds) / seconds,
      greetingP99: mode === 'product' ? at(greetings, 0.99) : null,
      clearP99: mode === 'product' ? at(clears, 0.99) : null,
    }
  } finally {
    load.close()
    await Bun.sleep(200)
    await relay.stop()
  }
}

/** Audio that plays, and a caller who speaks: what it takes in each call until the carrier gets the clear, in ms. */
async function interruptAll(load: Load): Promise<number[]> {
  const askedAt = new Map<number, number>()
  const started = (call: EngineCall) =>
    textFrame(
      `{"type":"input_audio_buffer.speech_started","event_id":"e","audio_start_ms":1000,"item_id":"user_${call.index}"}`,
      false,
    )
  for (const call of load.engines.values()) {
    // Less than a mark's worth, so that none of it has come back as played.
    for (let i = 0; i < 10; i++) load.sendPiece(call)
    askedAt.set(call.index, performance.now())
    call.link.write(started(call))
    await Bun.sleep(RAMP_MS)
  }
  await Bun.sleep(500)
  return load.carriers.map((call) => {
    const asked = askedAt.get(call.index)
    // A call without a clear must not look like a quick one.
    return asked === undefined || call.clearedAt === null ? Number.POSITIVE_INFINITY : call.clearedAt - asked
  })
}

function show(mode: Mode, calls: number, measured: Measurement, floor: number | undefined): void {
  const ms = (value: number) => value.toFixed(1).padStart(6)
  const lost = (tally: Tally) =>
    `${tally.lost}${tally.lostAtStart ? ` + ${tally.lostAtStart} at the start` : ''}${tally.disordered ? ` (${tally.disordered} disordered)` : ''} of ${tally.received}`
  console.log(
    [
      `${mode.padEnd(8)} ${calls} calls`,
      `cpu ${measured.cpuPerCallMinute.toFixed(4)} s per call-minute`,
      floor ? `= ${(measured.cpuPerCallMinute / floor).toFixed(2)} × bun` : '',
      `in p50 ${ms(measured.inP50)} p99 ${ms(measured.inP99)} ms`,
      `out p50 ${ms(measured.outP50)} p99 ${ms(measured.outP99)} ms`,
      `lost in ${lost(measured.framesIn)}, out ${lost(measured.framesOut)}`,
      `${measured.kbPerCall.toFixed(0)} KB a call`,
      measured.greetingP99 === null ? '' : `greeting p99 ${ms(measured.greetingP99)} ms`,
      measured.clearP99 === null ? '' : `clear p99 ${ms(measured.clearP99)} ms`,
      `waited for a core ${(measured.waited * 100).toFixed(0)} %`,
      `load late p99 ${ms(measured.lateP99)} ms`,
    ]
      .filter(Boolean)
      .join('  '),
  )
}

async function main() {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '50' },
      seconds: { type: 'string', default: '15' },
      rounds: { type: 'string', default: '1' },
      modes: { type: 'string' },
      sustain: { type: 'boolean', default: false },
      limit: { type: 'string', default: '100' },
    },
  })
  const modes = (text: string) => z.array(z.enum(MODES)).parse(text.split(','))
  if (values.sustain) {
    await sustain(modes(values.modes ?? 'bun,product'), Number(values.limit))
    return
  }
  takeLoadCore()
  const calls = Number(values.calls)
  const rounds = Number(values.rounds)
  const all = new Map<Mode, Measurement[]>()
  for (let round = 1; round <= rounds; round++)
    for (const mode of modes(values.modes ?? MODES.join())) {
      const measured = await measure(mode, calls, Number(values.seconds))
      all.set(mode, [...(all.get(mode) ?? []), measured])
      show(mode, calls, measured, all.get('bun')?.at(-1)?.cpuPerCallMinute)
    }
  if (rounds > 1) showSums(all)
}

/** All rounds together: one alone says little on a machine that others use too. */
function showSums(all: ReadonlyMap<Mode, Measurement[]>): void {
  const floor = all.get('bun')
  for (const [mode, rounds] of all) {
    if (!floor || mode === 'bun') continue
    const times = (of: (each: Measurement) => number) => (sumOfAll(rounds, of) / sumOfAll(floor, of)).toFixed(2)
    console.log(
      `${mode} over ${rounds.length} rounds: cpu ${times((each) => each.cpuPerCallMinute)} × bun, relay p99 in ${times((each) => each.inP99)} ×, out ${times((each) => each.outP99)} ×`,
    )
  }
}

function sumOfAll(rounds: readonly Measurement[], of: (each: Measurement) => number): number {
  return rounds.reduce((sum, each) => sum + of(each), 0)
}

if (import.meta.main) await main()
