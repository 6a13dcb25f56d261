/** OpenAI's tokens hold about two Hebrew characters, and four of other scripts (measured with o200k: 2.3 and 4.5). */
const HEBREW = /[\u0590-\u05ff]/g
const FILE_TOKENS = 1_500

/** Tokens of a text, rather too many than too few. */
export function estimateTokens(text: string): number {
  const hebrew = text.match(HEBREW)?.length ?? 0
  return Math.ceil(hebrew / 2 + (text.length - hebrew) / 4)
}

/** Tokens of a prompt in any form: the texts in it, and a fixed amount for each file. */
export function estimatePrompt(prompt: unknown): number {
  if (typeof prompt === 'string') return estimateTokens(prompt)
  if (typeof prompt !== 'object' || prompt === null) return 1
  if ('mediaType' in prompt && 'data' in prompt) return FILE_TOKENS
  if (Array.isArray(prompt)) return prompt.reduce<number>((sum, part) => sum + estimatePrompt(part), 0)
  return Object.values(prompt).reduce<number>((sum, part) => sum + estimatePrompt(part), 1)
}
