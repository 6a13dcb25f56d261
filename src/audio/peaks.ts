import { decodeMulawByte } from './mulaw.ts'
import { mixToMono, readWav } from './wav.ts'

const LOUDEST = 32_124

/** The loudest sample of each step of μ-law audio, 0 to 100. @param stepMs the length of a step */
export function peaksOfMulaw(mulaw: Uint8Array, stepMs: number): number[] {
  const step = stepMs * 8
  const peaks: number[] = []
  for (let from = 0; from < mulaw.length; from += step) {
    let loudest = 0
    for (let i = from; i < Math.min(from + step, mulaw.length); i++)
      loudest = Math.max(loudest, Math.abs(decodeMulawByte(mulaw[i] as number)))
    peaks.push(Math.round((loudest / LOUDEST) * 100))
  }
  return peaks
}

const STEP_MS = 20
/** More than any screen is wide. */
const MAX_STEPS = 800

/** How long a WAV file plays, and the loudest sample of each step, 0 to 100. Null for what cannot be read. */
export function measureWav(
  bytes: Uint8Array,
): { durationMs: number; peaks: { stepMs: number; values: number[] } } | null {
  let sound: { mono: Int16Array; sampleRate: number }
  try {
    const wav = readWav(bytes)
    sound = { mono: mixToMono(wav), sampleRate: wav.sampleRate }
  } catch {
    return null
  }
  const { mono, sampleRate } = sound
  const durationMs = Math.round((mono.length / sampleRate) * 1_000)
  const stepMs = Math.max(STEP_MS, Math.ceil(durationMs / MAX_STEPS / STEP_MS) * STEP_MS)
  const step = Math.max(1, Math.round((sampleRate * stepMs) / 1_000))
  const values: number[] = []
  for (let from = 0; from < mono.length; from += step) {
    let loudest = 0
    for (let i = from; i < Math.min(from + step, mono.length); i++)
      loudest = Math.max(loudest, Math.abs(mono[i] as number))
    values.push(Math.min(100, Math.round((loudest / LOUDEST) * 100)))
  }
  return { durationMs, peaks: { stepMs, values } }
}
