import type { LanguageModelV4Message, LanguageModelV4Prompt } from '@ai-sdk/provider'

/**
 * The prompt without the older half of its turns; null when only one is left. Cut before a message of the person, so that no
 * result of a tool loses its call.
 */
export function shortenPrompt(prompt: LanguageModelV4Prompt): LanguageModelV4Prompt | null {
  const system = prompt.filter(({ role }) => role === 'system')
  const turns = prompt.filter(({ role }) => role !== 'system')
  const starts = turns.flatMap(({ role }, index) => (role === 'user' && index > 0 ? [index] : []))
  const cut = starts.find((index) => index >= turns.length / 2) ?? starts.at(-1)
  return cut === undefined ? null : [...system, ...turns.slice(cut)]
}

/**
 * The prompt as another model takes it: without the first one's reasoning and its ids, which only that one can read.
 */
export function portablePrompt(prompt: LanguageModelV4Prompt): LanguageModelV4Prompt {
  return prompt.map((message): LanguageModelV4Message => {
    if (message.role !== 'assistant') return message
    const content = message.content.flatMap((part) => {
      if (part.type === 'reasoning' || part.type === 'reasoning-file') return []
      const { providerOptions: _, ...rest } = part
      return [rest]
    })
    return { role: 'assistant', content }
  })
}
