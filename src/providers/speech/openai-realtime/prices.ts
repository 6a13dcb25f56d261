import type { EngineUsage } from '../port.ts'

/** US dollars a million tokens, per OpenAI's model pages. */
type Price = { textIn: number; audioIn: number; cached: number; textOut: number; audioOut: number }

const PRICES: [prefix: string, price: Price][] = [
  ['gpt-realtime-2.1-mini', { textIn: 0.6, audioIn: 10, cached: 0.3, textOut: 2.4, audioOut: 20 }],
  ['gpt-realtime-2.1', { textIn: 4, audioIn: 32, cached: 0.4, textOut: 24, audioOut: 64 }],
]

/** Prices a response in millionths of a dollar; null for a model whose price is not known. */
export function priceOf(model: string, usage: Omit<EngineUsage, 'costMicroUsd'>): number | null {
  const price = PRICES.find(([prefix]) => model.startsWith(prefix))?.[1]
  if (!price) return null
  // Cached tokens are part of the input's; which kind they were of is told apart nowhere that matters for the price.
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
