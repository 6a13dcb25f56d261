import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
} from '@ai-sdk/provider'
import { failureOf, ModelFailure } from './failure.ts'

type Block = { kind: 'text' | 'reasoning'; text: string; metadata: SharedV4ProviderMetadata | undefined }

const NO_USAGE: LanguageModelV4Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
}

/**
 * Reads a model's stream to its end, as one answer. @param alive called at each part that the model itself made
 * @throws ModelFailure when the stream reports an error, breaks off, or ends without saying how
 */
export async function collectAnswer(
  stream: ReadableStream<LanguageModelV4StreamPart>,
  alive: () => void,
): Promise<LanguageModelV4GenerateResult> {
  const content: (LanguageModelV4Content | Block)[] = []
  const blocks = new Map<string, Block>()
  let finish: { reason: LanguageModelV4FinishReason; usage: LanguageModelV4Usage } | null = null
  let metadata: SharedV4ProviderMetadata | undefined
  for await (const part of stream) {
    if (part.type !== 'stream-start' && part.type !== 'response-metadata' && part.type !== 'raw') alive()
    switch (part.type) {
      case 'text-start':
      case 'reasoning-start': {
        const kind = part.type === 'text-start' ? 'text' : 'reasoning'
        const block: Block = { kind, text: '', metadata: part.providerMetadata }
        blocks.set(`${kind}:${part.id}`, block)
        content.push(block)
        break
      }
      case 'text-delta':
      case 'reasoning-delta':
      case 'text-end':
      case 'reasoning-end': {
        const block = blocks.get(`${part.type.startsWith('text') ? 'text' : 'reasoning'}:${part.id}`)
        if (!block) break
        if ('delta' in part) block.text += part.delta
        block.metadata = part.providerMetadata ?? block.metadata
        break
      }
      case 'tool-call':
        content.push(part)
        break
      case 'error':
        throw failureOf(part.error)
      case 'finish':
        finish = { reason: part.finishReason, usage: part.usage }
        metadata = part.providerMetadata
        break
    }
  }
  if (!finish) throw new ModelFailure('broken', 'The answer broke off.')
  return {
    content: content.map(
      (each): LanguageModelV4Content => ('kind' in each && !('type' in each) ? asContent(each) : each),
    ),
    finishReason: finish.reason,
    usage: finish.usage ?? NO_USAGE,
    warnings: [],
    ...(metadata ? { providerMetadata: metadata } : {}),
  }
}

function asContent({ kind, text, metadata }: Block): LanguageModelV4Content {
  return { type: kind, text, ...(metadata ? { providerMetadata: metadata } : {}) }
}
