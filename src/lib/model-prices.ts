/**
 * The day on which the list prices below were compared with what is published: the vendors' own model and price pages as far as they
 * could be read, else the price lists of GitHub Copilot and of clients. A business can set its own.
 */
export const PRICES_AS_OF = '2026-11-28'

/** US dollars a million tokens. */
export type ModelPrice = { input: number; cached: number; output: number }

/**
 * Standard prices by the beginning of a model's name, dated versions (`gpt-5-mini-2025-08-07`) included; of prompts below the size
 * at which a vendor takes more (OpenAI 272,000 tokens, Google 200,000, Claude Haiku 5.5 100,000), without what a write to the cache
 * costs, and without offers for a time. Where sources differ the higher price stands here. A model that is not here has no known
 * price: that is shown, and never taken for free.
 */
export const LIST_PRICES: Readonly<Record<string, ModelPrice>> = {
  'openai:gpt-6.1-sol': { input: 2, cached: 0.1, output: 10 },
  'openai:gpt-6-astra': { input: 10, cached: 1, output: 50 },
  'openai:gpt-6-sol': { input: 2, cached: 0.2, output: 10 },
  'openai:gpt-6-luna': { input: 0.1, cached: 0.01, output: 0.5 },
  'openai:gpt-5.6-sol': { input: 5, cached: 0.5, output: 30 },
  'openai:gpt-5.6-terra': { input: 2, cached: 0.2, output: 12 },
  'openai:gpt-5.6-luna': { input: 0.2, cached: 0.02, output: 1.2 },
  'openai:gpt-5.5': { input: 5, cached: 0.5, output: 30 },
  'openai:gpt-5.4': { input: 2.5, cached: 0.25, output: 15 },
  'openai:gpt-5.4-mini': { input: 0.75, cached: 0.075, output: 4.5 },
  'openai:gpt-5.4-nano': { input: 0.2, cached: 0.02, output: 1.25 },
  'openai:gpt-5.2': { input: 1.75, cached: 0.175, output: 14 },
  'openai:gpt-5.1': { input: 1.25, cached: 0.125, output: 10 },
  'openai:gpt-5': { input: 1.25, cached: 0.125, output: 10 },
  'openai:gpt-5-mini': { input: 0.25, cached: 0.025, output: 2 },
  'openai:gpt-5-nano': { input: 0.05, cached: 0.005, output: 0.4 },
  'openai:gpt-4.1': { input: 2, cached: 0.5, output: 8 },
  'openai:gpt-4.1-mini': { input: 0.4, cached: 0.1, output: 1.6 },
  'openai:gpt-4.1-nano': { input: 0.1, cached: 0.025, output: 0.4 },
  'openai:gpt-4o': { input: 2.5, cached: 1.25, output: 10 },
  'openai:gpt-4o-mini': { input: 0.15, cached: 0.075, output: 0.6 },
  'anthropic:claude-fable-5-1': { input: 10, cached: 1, output: 50 },
  'anthropic:claude-fable-5': { input: 10, cached: 1, output: 50 },
  'anthropic:claude-opus-5-5': { input: 4, cached: 0.2, output: 20 },
  'anthropic:claude-opus-5': { input: 5, cached: 0.5, output: 25 },
  'anthropic:claude-opus-4-8': { input: 5, cached: 0.5, output: 25 },
  'anthropic:claude-opus-4-7': { input: 5, cached: 0.5, output: 25 },
  'anthropic:claude-opus-4-6': { input: 5, cached: 0.5, output: 25 },
  'anthropic:claude-opus-4-5': { input: 5, cached: 0.5, output: 25 },
  'anthropic:claude-sonnet-5-5': { input: 2, cached: 0.2, output: 10 },
  'anthropic:claude-sonnet-5': { input: 2, cached: 0.2, output: 10 },
  'anthropic:claude-sonnet-4-6': { input: 3, cached: 0.3, output: 15 },
  'anthropic:claude-sonnet-4-5': { input: 3, cached: 0.3, output: 15 },
  'anthropic:claude-haiku-5-5': { input: 0.1, cached: 0.01, output: 0.5 },
  'anthropic:claude-haiku-4-5': { input: 1, cached: 0.1, output: 5 },
  'google:gemini-3.7-flash': { input: 1.5, cached: 0.15, output: 7.5 },
  'google:gemini-3.6-flash': { input: 1.5, cached: 0.15, output: 7.5 },
  'google:gemini-3.5-flash': { input: 1.5, cached: 0.15, output: 9 },
  'google:gemini-3.1-pro-preview': { input: 2, cached: 0.2, output: 12 },
  'google:gemini-3.1-flash-lite': { input: 0.25, cached: 0.025, output: 1.5 },
  'google:gemini-3-pro-preview': { input: 2, cached: 0.2, output: 12 },
  'google:gemini-2.5-pro': { input: 1.25, cached: 0.125, output: 10 },
  'google:gemini-2.5-flash': { input: 0.3, cached: 0.03, output: 2.5 },
  'google:gemini-2.5-flash-lite': { input: 0.1, cached: 0.01, output: 0.4 },
}

/** A date after a model's name: `-2025-08-07`, `-20250929`, `-latest`. */
const VERSION = /-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest|\d{3})$/

/** The price of a model such as `openai:gpt-5-mini`, a business's own first; null when it is not known. */
export function priceOf(model: string, own: Readonly<Record<string, ModelPrice>> = {}): ModelPrice | null {
  const plain = model.replace(VERSION, '')
  return own[model] ?? own[plain] ?? LIST_PRICES[model] ?? LIST_PRICES[plain] ?? null
}

/** Millionths of a dollar, rounded up; null when the price is not known. */
export function costOf(
  use: { model: string; inputTokens: number; cachedTokens: number; outputTokens: number },
  own: Readonly<Record<string, ModelPrice>> = {},
): number | null {
  const price = priceOf(use.model, own)
  if (!price) return null
  const fresh = use.inputTokens - use.cachedTokens
  return Math.ceil(fresh * price.input + use.cachedTokens * price.cached + use.outputTokens * price.output)
}
