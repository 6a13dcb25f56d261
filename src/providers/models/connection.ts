import type { LanguageModelV4 } from '@ai-sdk/provider'
import { type ModelProvider, modelNameOf } from '../../lib/model-name.ts'
import { type Circuit, createCircuit } from './circuit.ts'
import type { Candidate } from './failover.ts'

export type ConnectionSettings = {
  provider: ModelProvider
  apiKey: string | null
  /** Such as `https://api.openai.com/v1`; null is the vendor's own. */
  baseUrl: string | null
  /** The client for an address that a business named; the process's own where it is a setting of the installation. */
  fetch?: typeof fetch
}

/** One provider under one key. */
export type ModelConnection = {
  provider: ModelProvider
  candidate(name: string): Candidate
}

/** The models of one provider under one key; each has its own circuit. The adapters are loaded at the first request. */
export function createModelConnection(settings: ConnectionSettings): ModelConnection {
  const { provider } = settings
  const circuits = new Map<string, Circuit>()
  let opened: Promise<(name: string) => LanguageModelV4> | null = null
  return {
    provider,
    candidate(name) {
      const circuit = circuits.get(name) ?? createCircuit()
      circuits.set(name, circuit)
      return {
        name: modelNameOf({ provider, name }),
        circuit,
        // The client for addresses of strangers reads whole bodies.
        streams: settings.fetch === undefined,
        async open() {
          opened ??= openProvider(settings)
          return (await opened)(name)
        },
      }
    },
  }
}

async function openProvider({ provider, apiKey, baseUrl, fetch }: ConnectionSettings) {
  const options = {
    apiKey: apiKey ?? '',
    ...(baseUrl === null ? {} : { baseURL: baseUrl }),
    ...(fetch ? { fetch } : {}),
  }
  switch (provider) {
    case 'openai': {
      const { createOpenAI } = await import('@ai-sdk/openai')
      return createOpenAI(options)
    }
    case 'anthropic': {
      const { createAnthropic } = await import('@ai-sdk/anthropic')
      return createAnthropic(options)
    }
    case 'google': {
      const { createGoogleGenerativeAI } = await import('@ai-sdk/google')
      return createGoogleGenerativeAI(options)
    }
    case 'compatible': {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
      const { apiKey: key, ...rest } = options
      // Without `includeUsage` a stream reports no tokens.
      const server = createOpenAICompatible({
        name: 'compatible',
        includeUsage: true,
        baseURL: '',
        ...rest,
        ...(key ? { apiKey: key } : {}),
      })
      return (name: string) => server.chatModel(name)
    }
  }
}
