import { writeWavMulaw } from '../audio/wav.ts'
import { AppError } from '../lib/errors.ts'
import type { Language, SpeechSynthesizer } from '../providers/speech/port.ts'

/** Texts that are spoken or wait at once. */
const AT_ONCE = 4

/**
 * Speaks what a member wants to hear, as callers would hear it: 8 kHz μ-law in a WAV file.
 * @throws AppError `voice_busy`, and the synthesizer's
 */
export function createPreviewVoice(
  voice: Pick<SpeechSynthesizer, 'synthesize'>,
): (text: string, language: Language) => Promise<Uint8Array> {
  let waiting = 0
  return async (text, language) => {
    if (waiting >= AT_ONCE)
      throw new AppError('rate_limited', 'voice_busy', 'Other texts are being spoken. Try again in a few seconds.')
    waiting++
    try {
      return writeWavMulaw(await voice.synthesize({ text, language }))
    } finally {
      waiting--
    }
  }
}
