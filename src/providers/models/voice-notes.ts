import { AppError } from '../../lib/errors.ts'
import { costOf, type ModelPrice } from '../../lib/model-prices.ts'
import { audioSeconds } from './audio-length.ts'
import { estimateTokens } from './estimate.ts'
import type { ModelCharge, ModelLedger, ModelUse, VoiceNoteTranscriber } from './port.ts'

const MAX_BYTES = 25 * 1024 * 1024
const MAX_SECONDS = 5 * 60
const TIMEOUT_MS = 120_000
/** OpenAI counts a token for each 100 ms of sound. */
const TOKENS_A_SECOND = 10
/** Without a length: of Opus at 24 kbit/s. */
const BYTES_A_SECOND = 3_000

/** Posts one file. `usage` is null where the vendor reports no tokens. */
export type PostAudio = (request: { audio: Uint8Array; mediaType: string; signal: AbortSignal }) => Promise<{
  text: string
  language: string | null
  seconds: number | null
  usage: { inputTokens: number; outputTokens: number } | null
}>

export type VoiceNoteOptions = {
  /** Null where a business has no key for it. */
  serviceOf(businessId: string): { model: string; post: PostAudio } | null
  pricesOf(businessId: string): Promise<Readonly<Record<string, ModelPrice>>>
  ledger: ModelLedger
}

/** Transcribes audio files that people send, within limits of size, length and budget. */
export function createVoiceNoteTranscriber({ serviceOf, pricesOf, ledger }: VoiceNoteOptions): VoiceNoteTranscriber {
  return {
    async transcribe({ businessId, subject, audio, mediaType, signal }) {
      if (audio.byteLength > MAX_BYTES)
        throw new AppError('too_large', 'voice_note_too_large', 'The audio file is larger than 25 MB.')
      const length = audioSeconds(audio)
      if (audio.byteLength === 0 || length === 0)
        throw new AppError('invalid', 'voice_note_unreadable', 'The audio file holds no sound.')
      if (length !== null && length > MAX_SECONDS)
        throw new AppError('too_large', 'voice_note_too_long', 'The voice note is longer than five minutes.')
      const service = serviceOf(businessId)
      if (!service)
        throw new AppError(
          'not_implemented',
          'model_not_set',
          'There is no service that transcribes. Set its key first.',
        )
      const prices = await pricesOf(businessId)
      const { model } = service
      const priced = (use: ModelUse): ModelCharge => ({ ...use, costMicros: costOf(use, prices) })
      const guess = Math.ceil((length ?? audio.byteLength / BYTES_A_SECOND) * TOKENS_A_SECOND)
      const estimate = priced({ model, inputTokens: guess, cachedTokens: 0, outputTokens: 500, estimated: true })
      const reservation = await ledger.reserve({
        ...{ businessId, purpose: 'transcription', subject: subject ?? null, estimate },
        lastsMs: TIMEOUT_MS,
      })
      const charges: ModelCharge[] = []
      try {
        const late = AbortSignal.timeout(TIMEOUT_MS)
        const found = await service.post({
          audio,
          mediaType,
          signal: signal ? AbortSignal.any([signal, late]) : late,
        })
        const charge = priced({
          model,
          inputTokens: found.usage?.inputTokens ?? guess,
          cachedTokens: 0,
          outputTokens: found.usage?.outputTokens ?? estimateTokens(found.text),
          estimated: found.usage === null,
        })
        charges.push(charge)
        const { text, seconds, language } = found
        return {
          text,
          language: language ?? languageOf(text),
          seconds: seconds ?? length,
          costMicros: charge.costMicros,
        }
      } catch (error) {
        signal?.throwIfAborted()
        throw new AppError('unavailable', 'model_unavailable', 'The voice note could not be transcribed.', {
          cause: error,
        })
      } finally {
        await reservation.settle(charges)
      }
    },
  }
}

/** By its letters: the vendor does not say it. */
function languageOf(text: string): string | null {
  return /[\u0590-\u05ff]/.test(text) ? 'he' : null
}
