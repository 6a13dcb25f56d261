import type { EngineUsage } from '../port.ts'
import type { ServerEventOf } from './events.ts'

type Usage = NonNullable<ServerEventOf<'response.done'>['response']['usage']>

/** US dollars a million tokens, per OpenAI's model pages. */
type Price = { textIn: number; audioIn: number; cached: number; textOut: number; audioOut: number }

const PRICES: [prefix: string, price: Price][] = [
  ['gpt-realtime-2.1-mini', { textIn: 0.6, audioIn: 10, cached: 0.3, textOut: 2.4, audioOut: 20 }],
  ['gpt-realtime-2.1', { textIn: 4, audioIn: 32, cached: 0.4, textOut: 24, audioOut: 64 }],
]

/** The tokens of a response and their price. */
export function usageOf(
  model: string,
  { input_token_details: input, output_token_details: output }: Usage,
): EngineUsage {
  const tokens = {
    inputTextTokens: input.text_tokens,
    inputAudioTokens: input.audio_tokens,
    cachedTokens: input.cached_tokens,
    outputTextTokens: output.text_tokens,
    outputAudioTokens: output.audio_tokens,
  }
  return { ...tokens, costMicroUsd: priceOf(model, tokens) }
}

/** Millionths of a dollar; null for a model whose price is not known. */
function priceOf(model: string, usage: Omit<EngineUsage, 'costMicroUsd'>): number | null {
  const price = PRICES.find(([prefix]) => model.startsWith(prefix))?.[1]
  if (!price) return null
  // Cached tokens are part of the input's, and both kinds cost the same; audio is counted first.
  const cachedAudio = Math.min(usage.cachedTokens, usage.inputAudioTokens)
  const cachedText = Math.min(usage.cachedTokens - cachedAudio, usage.inputTextTokens)
  return Math.round(
    (usage.inputAudioTokens - cachedAudio) * price.audioIn +
      (usage.inputTextTokens - cachedText) * price.textIn +
      usage.cachedTokens * price.cached +
      usage.outputTextTokens * price.textOut +
      usage.outputAudioTokens * price.audioOut,
  )
}
