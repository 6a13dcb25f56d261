import type { Situation } from './situation.ts'

/** The language of what was written; of the business where it has neither letters. */
export function languageOf(texts: readonly string[], { business }: Pick<Situation, 'business'>): 'he' | 'en' {
  for (const text of texts.toReversed()) {
    const hebrew = text.match(/[\u05d0-\u05ea]/g)?.length ?? 0
    const latin = text.match(/[a-z]/gi)?.length ?? 0
    if (hebrew + latin > 1) return hebrew >= latin ? 'he' : 'en'
  }
  return business.language
}
