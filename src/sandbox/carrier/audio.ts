import { rmsOfMulaw } from '../../audio/energy.ts'
import { bytesOfMs, decodeMulaw, encodeMulaw, MULAW_RATE } from '../../audio/mulaw.ts'
import { resample } from '../../audio/resample.ts'
import { mixToMono, readWav, writeWavPcm16 } from '../../audio/wav.ts'
import { AppError } from '../../lib/errors.ts'

export const BYTES_PER_MS = MULAW_RATE / 1000
export const FRAME_BYTES = 160

/** Loudness (16-bit RMS, about -40 dBFS) from which a frame counts as voice; idle lines stay far below. */
export const VOICE_RMS = 330

export function isVoice(frame: Uint8Array): boolean {
  return rmsOfMulaw(frame) >= VOICE_RMS
}

/** Where the voice of an utterance begins and ends, in bytes, to the 20 ms frame; null when all is silence. */
export function findVoice(bytes: Uint8Array): { start: number; end: number } | null {
  let start = -1
  let end = -1
  for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
    const frame = bytes.subarray(at, at + FRAME_BYTES)
    if (!isVoice(frame)) continue
    if (start < 0) start = at
    end = at + frame.length
  }
  return start < 0 ? null : { start, end }
}

/** A sine tone as μ-law, for beeps and for speech that is not synthesized. */
export function makeTone(hertz: number, ms: number, amplitude = 8000): Uint8Array {
  const samples = new Int16Array(bytesOfMs(ms))
  for (let i = 0; i < samples.length; i += 1) samples[i] = Math.sin((2 * Math.PI * hertz * i) / MULAW_RATE) * amplitude
  return encodeMulaw(samples)
}

/** A 16-bit PCM WAV file (8,000 Hz, mono, 128 kbit/s, Twilio's format of recordings) of μ-law audio. */
export function writeTelephoneWav(mulaw: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(writeWavPcm16(decodeMulaw(mulaw), MULAW_RATE))
}

/** A WAV file of any rate and number of channels as telephone μ-law; null when the bytes are not a readable WAV file. */
export function readTelephoneWav(file: Uint8Array): Uint8Array | null {
  try {
    const audio = readWav(file)
    const mono = mixToMono(audio)
    return encodeMulaw(audio.sampleRate === MULAW_RATE ? mono : resample(mono, audio.sampleRate, MULAW_RATE))
  } catch (error) {
    if (error instanceof AppError && error.code === 'bad_wav') return null
    throw error
  }
}
