import loadEspeak, { type EspeakEngine } from '@echogarden/espeak-ng-emscripten'
import { encodeMulaw } from '../../../audio/mulaw.ts'
import { resample } from '../../../audio/resample.ts'
import { errorMessage } from '../../../lib/errors.ts'
import type { Language } from '../port.ts'
import { toRuns } from './utterance.ts'

/** The inside of the voice's own thread: one request in, one reply out, in order. */
export type SynthesisRequest = { id: number; text: string; language: Language }
export type SynthesisReply = { id: number; mulaw: Uint8Array } | { id: number; error: string }

/** Words a minute: a little slower than espeak's 175, for a telephone. */
const RATE = 155
/** espeak's Hebrew peaks at full scale, which sounds harsh in μ-law: −3 dB. */
const GAIN = 0.7
/** The breath between two voices in one text. */
const RUN_GAP_SECONDS = 0.06

const engine = startEngine()

self.onmessage = async (message: MessageEvent<SynthesisRequest>) => {
  const { id, text, language } = message.data
  try {
    const mulaw = speak(await engine, text, language)
    self.postMessage({ id, mulaw } satisfies SynthesisReply, { transfer: [mulaw.buffer] })
  } catch (error) {
    self.postMessage({ id, error: errorMessage(error) } satisfies SynthesisReply)
  }
}

async function startEngine(): Promise<EspeakEngine> {
  const { eSpeakNGWorker } = await loadEspeak()
  const made = await new eSpeakNGWorker()
  made.set_rate(RATE)
  return made
}

function speak(espeak: EspeakEngine, text: string, language: Language): Uint8Array {
  const rate = espeak.get_samplerate()
  const gap = new Int16Array(Math.round(rate * RUN_GAP_SECONDS))
  const pieces: Int16Array[] = []
  for (const run of toRuns(text, language)) {
    if (pieces.length > 0) pieces.push(gap)
    espeak.set_voice(run.voice)
    espeak.synthesize(run.input, (pcm) => {
      if (pcm && pcm.length > 0) pieces.push(Int16Array.from(pcm))
      return false
    })
  }
  const whole = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let offset = 0
  for (const piece of pieces) {
    whole.set(piece, offset)
    offset += piece.length
  }
  return encodeMulaw(resample(whole, rate, 8000).map((sample) => sample * GAIN))
}
