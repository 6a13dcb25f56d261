import type { Deps } from '../../src/composition/deps.ts'
import { within } from '../../src/domain/context.ts'
import { readSource } from '../../src/domain/knowledge/index.ts'
import type { JobHandlers } from '../../src/jobs/consumer.ts'

/** Sites take minutes, most of them pauses; what is read is taken apart one at a time. */
export const KNOWLEDGE_CONCURRENCY = 4

/** @param signal ends the readings when the process ends: another process begins them anew */
export function knowledgeHandlers(
  { ctx, sources }: Pick<Deps, 'ctx' | 'sources'>,
  signal: AbortSignal,
): JobHandlers<'knowledge'> {
  return {
    'knowledge.read': ({ businessId, sourceId }) => readSource(within(ctx, businessId), sourceId, sources, signal),
  }
}
