import { z } from 'zod'

export const MODEL_PROVIDERS = ['openai', 'anthropic', 'google', 'compatible'] as const
export type ModelProvider = (typeof MODEL_PROVIDERS)[number]

/** A model at its provider, such as `{ provider: 'openai', name: 'gpt-5-mini' }`. */
export type ModelRef = { provider: ModelProvider; name: string }

export const MODEL_WANTED = 'openai:NAME, anthropic:NAME, google:NAME or compatible:NAME'

/** `provider:NAME`; names of compatible servers contain colons and slashes themselves (`compatible:llama3.1:8b`). */
export const modelName = z
  .string()
  .trim()
  .max(200, MODEL_WANTED)
  .regex(/^(?:openai|anthropic|google|compatible):[A-Za-z0-9][A-Za-z0-9._:/@+-]*$/, MODEL_WANTED)

/** @param text a valid `modelName` */
export function modelRefOf(text: string): ModelRef {
  const [prefix = '', ...rest] = text.split(':')
  const provider = MODEL_PROVIDERS.find((each) => each === prefix)
  if (!provider) throw new Error('The model has no known provider.')
  return { provider, name: rest.join(':') }
}

export function modelNameOf({ provider, name }: ModelRef): string {
  return `${provider}:${name}`
}
