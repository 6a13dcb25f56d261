import loadEspeak, { type EspeakEngine } from '@echogarden/espeak-ng-emscripten'
import { encodeMulaw } from '../../../audio/mulaw.ts'
import { writeOggOpus } from '../../../audio/ogg-opus.ts'
import { resample } from '../../../audio/resample.ts'
import { errorMessage } from '../../../lib/errors.ts'
import type { Language } from '../port.ts'
import { toRuns } from './utterance.ts'

/** The inside of the voice's own thread: one request in, one reply out, in order. */
export type SynthesisRequest = { id: number; text: string; language: Language; as: 'mulaw' | 'voice_note' }
export type SynthesisReply = { id: number; audio: Uint8Array<ArrayBuffer> } | { id: number; error: string }

/** Words a minute: a little slower than espeak's 175, for a telephone. */
const RATE = 155
/** espeak's Hebrew peaks at full scale, which sounds harsh in μ-law: −3 dB. */
const GAIN = 0.7
/** The breath between two voices in one text. */
const RUN_GAP_SECONDS = 0.06
/** What WhatsApp's own apps record a voice note with, about. */
const VOICE_NOTE = { sampleRate: 24_000, frameSize: 480, bitrate: 24_000 } as const

const engine = startEngine()

self.onmessage = async (message: MessageEvent<SynthesisRequest>) => {
  const { id, text, language, as } = message.data
  try {
    const spoken = speak(await engine, text, language)
    const audio = as === 'mulaw' ? toMulaw(spoken) : await toVoiceNote(spoken)
    self.postMessage({ id, audio } satisfies SynthesisReply, { transfer: [audio.buffer] })
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

type Spoken = { pcm: Int16Array; rate: number }

function speak(espeak: EspeakEngine, text: string, language: Language): Spoken {
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
  return { pcm: whole, rate }
}

function toMulaw({ pcm, rate }: Spoken): Uint8Array<ArrayBuffer> {
  return encodeMulaw(resample(pcm, rate, 8000).map((sample) => sample * GAIN))
}

async function toVoiceNote({ pcm, rate }: Spoken): Promise<Uint8Array<ArrayBuffer>> {
  // Only the worker that answers messages needs the encoder.
  const { Application, createEncoder, Signal } = await import('libopus-wasm')
  const { sampleRate, frameSize, bitrate } = VOICE_NOTE
  const sound = resample(pcm, rate, sampleRate).map((sample) => sample * GAIN)
  const encoder = await createEncoder({
    ...{ channels: 1, sampleRate, frameSize, bitrate },
    ...{ application: Application.Voip, signal: Signal.Voice },
  })
  try {
    const lookahead = encoder.getLookahead()
    const packets: Uint8Array[] = []
    // The encoder is late by its lookahead: silence pushes the end of the sound out.
    for (let from = 0; from < sound.length + lookahead; from += frameSize) {
      const frame = new Int16Array(frameSize)
      frame.set(sound.subarray(from, from + frameSize))
      packets.push(encoder.encode(frame).slice())
    }
    return writeOggOpus({ packets, sampleRate, samples: sound.length, lookahead })
  } finally {
    encoder.free()
  }
}
