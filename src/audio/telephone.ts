import { encodeMulaw, MULAW_RATE } from './mulaw.ts'
import { resample } from './resample.ts'
import { mixToMono, readWav } from './wav.ts'

/**
 * Any readable WAV file (a business's recorded greeting, a caller's line for a simulation) as a telephone plays it: raw
 * mono μ-law at 8 kHz. A minute takes some 150 ms: keep long ones off a thread with live
 * calls.
 * @throws AppError `invalid` `bad_wav`
 */
export function wavToTelephone(file: Uint8Array): Uint8Array {
  const audio = readWav(file)
  return encodeMulaw(resample(mixToMono(audio), audio.sampleRate, MULAW_RATE))
}
