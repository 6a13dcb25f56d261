import { z } from 'zod'
import { cutText } from '../../lib/text.ts'
import type { BusinessContext } from '../context.ts'
import { type KnowledgeSource, type KnowledgeText, knowledgeOf, type Patience, readChunks } from './memory.ts'
import { SearchIndex } from './search-index.ts'

/** What of a question a text must prove for the business to know the answer; measured in the tests. */
export const SURE_SHARE = 0.4
/** Below it, hits hardly have anything to do with the question. */
const UNKNOWN_SHARE = 0.3
const MAX_CHARS = 1_500

export type KnowledgeHit = { text: string; title: string; source: KnowledgeSource; score: number }
export type KnowledgeAnswer = {
  /** Best first. `score` is how much of the question the text proves, from 0 to 1. */
  hits: KnowledgeHit[]
  /** False: the hits share words with the question, and probably do not answer it. */
  sure: boolean
  /** Nothing was found, or nothing that has much to do with the question. */
  unknown: boolean
  /**
   * Where the hits are not sure: titles of what else is known, the business's own texts first. Who asks about "my wife and cold
   * water" shares no word with "Boilers"; a model that reads the title asks again in its words.
   */
  titles: string[]
}

export const knowledgeAnswerView = z.object({
  hits: z.array(
    z.object({
      text: z.string(),
      title: z.string(),
      source: z.object({
        kind: z.enum(['text', 'file', 'site']),
        id: z.string(),
        name: z.string(),
        url: z.string().optional(),
      }),
      score: z.number(),
    }),
  ),
  sure: z.boolean(),
  unknown: z.boolean(),
})

/** What the business knows of a question: its own texts, its files and its site. */
export async function searchKnowledge(
  ctx: BusinessContext,
  { query, limit = 3, patience }: { query: string; limit?: number; patience?: Patience },
): Promise<KnowledgeAnswer> {
  return answer(await knowledgeOf(ctx, patience), query, limit)
}

type OwnText = { title: string; body: string }
const tried = new WeakMap<readonly OwnText[], Promise<SearchIndex<KnowledgeText>>>()

/** The same with other texts of its own, as a draft has them. */
export async function searchWithTexts(
  ctx: BusinessContext,
  texts: readonly OwnText[],
  { query, limit = 3 }: { query: string; limit?: number },
): Promise<KnowledgeAnswer> {
  const index =
    tried.get(texts) ??
    readChunks(ctx).then((chunks) =>
      SearchIndex.of([
        ...texts.map((each) => ({ ...each, source: { kind: 'text' as const, id: '', name: each.title } })),
        ...chunks,
      ]),
    )
  tried.set(texts, index)
  index.catch(() => tried.delete(texts))
  return answer(await index, query, limit)
}

function answer(index: SearchIndex<KnowledgeText>, query: string, limit: number): KnowledgeAnswer {
  const found = index.search(query, Math.max(limit, 5))
  const first = found[0]?.share ?? 0
  // Of texts in two languages that say the same, the one in the language of the question.
  const own = found.filter(({ text, share }) => share >= first * SAME_SHARE && isHebrew(text.body) === isHebrew(query))
  const hits = [...own, ...found.filter((each) => !own.includes(each))].slice(0, limit).map(({ text, share }) => ({
    text: text.body.slice(0, MAX_CHARS),
    title: text.title,
    source: text.source,
    score: share,
  }))
  const best = hits[0]?.score ?? 0
  const sure = best >= SURE_SHARE
  return { hits, sure, unknown: best < UNKNOWN_SHARE, titles: sure ? [] : titlesBeside(index, hits) }
}

const MOST_TITLES = 40
const MAX_TITLE = 80

function titlesBeside({ texts }: SearchIndex<KnowledgeText>, hits: readonly KnowledgeHit[]): string[] {
  const shown = new Set(hits.map(({ title }) => title))
  const titles = new Set<string>()
  for (const { title } of texts) {
    if (title !== '' && !shown.has(title)) titles.add(cutText(title, MAX_TITLE))
    if (titles.size === MOST_TITLES) break
  }
  return [...titles]
}

const SAME_SHARE = 0.7
const isHebrew = (text: string) => /[\u05d0-\u05ea]/.test(text)
