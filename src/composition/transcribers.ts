import type { Config } from '../config.ts'
import type { Keyring } from '../domain/credentials/index.ts'
import { createOpenAiTranscriber, restBaseOf } from '../providers/speech/openai-realtime/transcriber.ts'
import { perBusiness } from './per-business.ts'

/** Transcribes the turns that were stored as audio. */
const TRANSCRIBER = 'gpt-transcribe'

/** OpenAI's transcription, with the keys of a business or of the installation. */
export function createTranscribers({ endpoints, speech }: Config, keyring: Keyring) {
  const baseUrl = restBaseOf(endpoints.openai.url)
  const installation = speech.openai.kind === 'configured' ? speech.openai : null
  const transcriberOf = ({ apiKey }: { apiKey: string }) =>
    createOpenAiTranscriber({ baseUrl, apiKey, model: TRANSCRIBER })
  return {
    transcriber: perBusiness(keyring, 'openai', installation && transcriberOf(installation), transcriberOf).of,
  }
}
