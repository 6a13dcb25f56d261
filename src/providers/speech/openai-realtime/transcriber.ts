import { z } from 'zod'
import { AppError } from '../../../lib/errors.ts'
import { readAnswer } from '../../answers.ts'
import type { Transcriber } from '../port.ts'

const TIMEOUT_MS = 120_000
const answer = z.object({
  text: z.string(),
  language: z.string().max(40).nullish().catch(null),
  duration: z.number().nonnegative().nullish().catch(null),
  usage: z
    .union([
      z.object({ type: z.literal('tokens'), input_tokens: z.number(), output_tokens: z.number() }),
      z.object({ type: z.literal('duration'), seconds: z.number() }),
    ])
    .nullish()
    .catch(null),
})

type TranscriberOptions = { baseUrl: string; apiKey: string; model: string }

/** Transcribes utterances at `/audio/transcriptions`. @param options.baseUrl such as `https://api.openai.com/v1` */
export function createOpenAiTranscriber(options: TranscriberOptions): Transcriber {
  return {
    async transcribe({ wav, contentType = 'audio/wav', language }) {
      const { text } = await postTranscription(options, { audio: wav, contentType, language })
      return { text: text.trim(), confidence: 'high' }
    },
  }
}

/**
 * Posts one audio file to `/audio/transcriptions` (API reference, "Create transcription"). @throws AppError `transcriber_unreachable`,
 * `transcriber_refused`, `transcriber_garbled`
 */
export async function postTranscription(
  options: TranscriberOptions,
  {
    audio,
    contentType,
    language,
    signal = AbortSignal.timeout(TIMEOUT_MS),
  }: { audio: Uint8Array; contentType: string; language?: string; signal?: AbortSignal },
): Promise<z.output<typeof answer>> {
  const form = new FormData()
  form.set('model', options.model)
  if (language !== undefined) form.set('language', language)
  form.set('response_format', 'json')
  form.set('file', new File([new Uint8Array(audio)], `audio.${extensionOf(contentType)}`, { type: contentType }))
  let response: Response
  try {
    response = await fetch(`${options.baseUrl}/audio/transcriptions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${options.apiKey}` },
      body: form,
      signal,
    })
  } catch (cause) {
    throw new AppError('unavailable', 'transcriber_unreachable', 'The transcriber could not be reached.', { cause })
  }
  if (!response.ok) {
    await response.body?.cancel()
    throw new AppError('unavailable', 'transcriber_refused', `The transcriber answered ${response.status}.`)
  }
  return await readAnswer(response, answer, 'The transcriber', 'transcriber_garbled')
}

/** The endpoint knows a format by the file's name. */
function extensionOf(contentType: string): string {
  // `audio/ogg; codecs=opus` is what WhatsApp sends.
  const subtype = contentType.split(';')[0]?.trim().split('/')[1] ?? 'wav'
  const known: Record<string, string> = {
    'x-wav': 'wav',
    mpeg: 'mp3',
    'x-m4a': 'm4a',
    mp4: 'm4a',
    opus: 'ogg',
    'x-flac': 'flac',
  }
  return contentType === 'video/mp4' ? 'mp4' : (known[subtype] ?? subtype)
}

/** The REST base beside a realtime address: `wss://host/v1/realtime` → `https://host/v1`. */
export function restBaseOf(realtimeUrl: string): string {
  return realtimeUrl
    .replace(/^ws/, 'http')
    .replace(/[?#].*$/, '')
    .replace(/\/realtime\/?$/, '')
}
