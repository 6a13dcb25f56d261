import type { BusinessContext } from '../context.ts'
import { type KnowledgeHit, scoreTexts, searchKnowledge, searchWithTexts } from '../knowledge/index.ts'
import type { ReceptionistSettings } from '../receptionist/index.ts'
import { spansOf } from './open-now.ts'
import type { Situation } from './situation.ts'

const MAX_ANSWERS = 3

export type Known = { title: string; body: string; share: number; source: KnowledgeHit['source'] }

/** What the business knows of a question, best first, each bounded; `sure` says whether the first answers it; where not, `titles` are of what else is known. */
export async function lookUp(
  ctx: BusinessContext,
  question: string,
  { trial }: Pick<Situation, 'trial'>,
): Promise<{ found: Known[]; sure: boolean; titles: string[] }> {
  const asked = { query: question, limit: MAX_ANSWERS }
  const { hits, sure, titles } = trial?.texts
    ? await searchWithTexts(ctx, trial.texts, asked)
    : await searchKnowledge(ctx, asked)
  const found = hits.map(({ title, text, score, source }) => ({ title, body: text, share: score, source }))
  return { found, sure, titles }
}

/** The sentence of a text that answers best, with its neighbours as far as they fit: people read few lines. */
export function excerptOf({ body }: Known, question: string, maxChars = 500): string {
  if (body.length <= maxChars) return body
  const parts = body.split(/(?<=[.!?\n])\s+/u).map((each) => ({ title: '', body: each }))
  const best = scoreTexts(parts, question)[0]?.text ?? parts[0]
  if (!best) return body.slice(0, maxChars)
  let from = parts.indexOf(best)
  let to = from + 1
  const size = () => parts.slice(from, to).reduce((sum, each) => sum + each.body.length + 1, 0)
  while (to < parts.length && size() + (parts[to]?.body.length ?? 0) < maxChars) to += 1
  while (from > 0 && size() + (parts[from - 1]?.body.length ?? 0) < maxChars) from -= 1
  return parts
    .slice(from, to)
    .map((each) => each.body)
    .join(' ')
    .slice(0, maxChars)
}

const DAYS = {
  he: ['יום ראשון', 'יום שני', 'יום שלישי', 'יום רביעי', 'יום חמישי', 'יום שישי', 'שבת'],
  en: ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'],
} as const

/** The opening hours as people read them: days with the same hours in a row are one line. */
export function sayHours({ hours }: Pick<ReceptionistSettings, 'hours'>, language: 'he' | 'en'): string {
  const names = DAYS[language]
  const days = names.map((_, day) =>
    spansOf(hours, day)
      .map(({ from, to }) => `${from}-${to}`)
      .join(', '),
  )
  const lines: string[] = []
  for (let day = 0; day < 7; ) {
    let end = day
    while (end < 6 && days[end + 1] === days[day]) end += 1
    if (days[day]) lines.push(`${names[day]}${end > day ? ` – ${names[end]}` : ''}: ${days[day]}`)
    day = end + 1
  }
  return lines.join('\n')
}
