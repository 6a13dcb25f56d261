import { encodeMulaw, MULAW_SILENCE } from './mulaw.ts'
import { peaksOfMulaw } from './peaks.ts'
import { readWav, writeWavMulaw } from './wav.ts'

type TurnAudio = { role: 'agent' | 'caller'; startMs: number; endMs: number; wav: Uint8Array }

/** What comes later is left out: no call that the product serves is longer. */
const LONGEST_MS = 3_600_000
/** A caller's turn has this much behind its end; what more it has is its lead-in. */
const TAIL_MS = 100
/** The most steps of the peaks: more than any screen is wide. */
const MAX_STEPS = 2_400
const STEP_MS = 20

/**
 * Puts a call's turns on one timeline: a stereo μ-law WAV with the caller on the left and the agent on the right, and the peaks
 * of both. Null for no turns.
 */
export function renderCallAudio(turns: readonly TurnAudio[]) {
  const placed = turns.flatMap((turn) => {
    const { pcm, channels, sampleRate } = readWav(turn.wav)
    if (channels !== 1 || sampleRate !== 8_000) return []
    const mulaw = encodeMulaw(pcm)
    const ms = mulaw.length / 8
    const lead = turn.role === 'agent' ? 0 : ms - (turn.endMs - turn.startMs) - TAIL_MS
    const fromMs = Math.max(0, turn.startMs - Math.max(0, lead))
    return fromMs + ms > LONGEST_MS ? [] : [{ role: turn.role, fromMs, toMs: fromMs + ms, mulaw }]
  })
  if (placed.length === 0) return null
  const durationMs = Math.ceil(Math.max(...placed.map(({ toMs }) => toMs)))
  const stepMs = Math.max(STEP_MS, Math.ceil(durationMs / MAX_STEPS / STEP_MS) * STEP_MS)
  const sideOf = (role: TurnAudio['role']) => {
    const side = new Uint8Array(durationMs * 8).fill(MULAW_SILENCE)
    for (const { mulaw, fromMs } of placed.filter((each) => each.role === role))
      side.set(mulaw.subarray(0, side.length - fromMs * 8), Math.round(fromMs * 8))
    return side
  }
  const [caller, agent] = [sideOf('caller'), sideOf('agent')]
  const both = new Uint8Array(caller.length * 2)
  for (let i = 0; i < caller.length; i++) {
    both[i * 2] = caller[i] as number
    both[i * 2 + 1] = agent[i] as number
  }
  return {
    wav: writeWavMulaw(both, 8_000, 2),
    peaks: { durationMs, stepMs, caller: peaksOfMulaw(caller, stepMs), agent: peaksOfMulaw(agent, stepMs) },
  }
}
