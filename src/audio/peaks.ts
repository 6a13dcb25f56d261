import { decodeMulawByte } from './mulaw.ts'

const LOUDEST = 32_124

/**
 * The loudest sample of each step of μ-law audio, 0 to 100.
 * @param stepMs the length of a step
 */
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
