import { concatBytes, mulawSilence } from '../../src/audio/mulaw.ts'
import { createEspeakSynthesizer } from '../../src/providers/speech/espeak/synthesizer.ts'
import type { Language, SpeechSynthesizer } from '../../src/providers/speech/port.ts'

let voice: SpeechSynthesizer | undefined
const spoken = new Map<string, Uint8Array>()

/** What a caller says, as μ-law from the real voice; the same words are rendered once. */
export async function speak(text: string, language: Language): Promise<Uint8Array> {
  const key = `${language}:${text}`
  const known = spoken.get(key)
  if (known) return known
  voice ??= createEspeakSynthesizer()
  const audio = await voice.synthesize({ text, language })
  spoken.set(key, audio)
  return audio
}

/** Ends the voice behind `speak`; call it in `afterAll`. */
export async function endSpeech(): Promise<void> {
  await voice?.close()
  voice = undefined
}

/** Root mean square of 16-bit samples. */
export function rmsOf(pcm: Int16Array): number {
  return Math.sqrt(pcm.reduce((sum, value) => sum + value ** 2, 0) / pcm.length)
}

/** A caller's line: pieces of audio, and numbers for that many milliseconds of silence. */
export function line(...parts: (Uint8Array | number)[]): Uint8Array {
  return concatBytes(parts.map((part) => (typeof part === 'number' ? mulawSilence(part) : part)))
}

/** Calls back for every frame of a line with its place on the media clock, without waiting for real time. */
export function feed(
  audio: Uint8Array,
  push: (frame: Uint8Array, atMs: number) => void,
  startMs = 0,
  frameBytes = 160,
): number {
  for (let i = 0; i < audio.length; i += frameBytes) push(audio.subarray(i, i + frameBytes), startMs + i / 8)
  return startMs + audio.length / 8
}
