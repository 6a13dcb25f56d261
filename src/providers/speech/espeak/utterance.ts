import type { Language } from '../port.ts'
import { hebrewPhonemes } from './hebrew-phonemes.ts'
import { spellOut } from './spell-out.ts'

/** A stretch of text for one voice, in espeak-ng's own input notation. */
export type Run = { voice: 'he' | 'en-us'; input: string }

const HEBREW = /[א-ת]/
const LATIN = /[A-Za-z]/
const POINTS = '\u0591-\u05C7'

/**
 * Cuts a text into stretches of one script each, numbers spelled out, so that a Hebrew name in an English sentence (and
 * the reverse) is read by the voice that knows its letters. Hebrew becomes phonemes in `[[ ]]`; punctuation stays
 * outside of them, for only there espeak makes pauses and questions of it.
 */
export function toRuns(text: string, language: Language): Run[] {
  // Brackets and angle brackets would be taken for phonemes and SSML.
  const spelled = spellOut(text.normalize('NFD').replace(/[[\]<>{}|\\^_~*#]/g, ' '), language)
  const runs: { hebrew: boolean; text: string }[] = []
  for (const piece of spelled.replace(/[–—]/g, ', ').split(/(\s+)/)) {
    const hebrew = HEBREW.test(piece) || (!LATIN.test(piece) && (runs.at(-1)?.hebrew ?? language === 'he'))
    const run = runs.at(-1)
    if (run && run.hebrew === hebrew) run.text += piece
    else runs.push({ hebrew, text: piece })
  }
  return runs
    .filter((run) => HEBREW.test(run.text) || LATIN.test(run.text))
    .map((run) => (run.hebrew ? { voice: 'he', input: bracket(run.text) } : { voice: 'en-us', input: run.text.trim() }))
}

function bracket(text: string): string {
  const tidy = text.replace(/[-\u05BE/]/g, ' ').replace(/[^א-ת\s.,!?;:'׳"״]/g, (char) => (isPoint(char) ? char : ' '))
  return tidy
    .split(/([.,!?;:]+)/)
    .map((part) =>
      HEBREW.test(part) ? `[[${hebrewPhonemes(part).replace(/["״׳]/g, '').replace(/\s+/g, ' ').trim()}]]` : part.trim(),
    )
    .filter((part) => part !== '')
    .join(' ')
    .replace(/\]\] ([.,!?;:])/g, ']]$1')
}

function isPoint(char: string): boolean {
  return new RegExp(`[${POINTS}]`).test(char)
}
