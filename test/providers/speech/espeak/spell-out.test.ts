import { expect, test } from 'bun:test'
import { hebrewNumber } from '../../../../src/providers/speech/espeak/hebrew-numbers.ts'
import { spellOut } from '../../../../src/providers/speech/espeak/spell-out.ts'
import { toRuns } from '../../../../src/providers/speech/espeak/utterance.ts'

const bare = (text: string) => text.normalize('NFD').replace(/[\u0591-\u05C7]/g, '')

test.each([
  [0, 'אפס'],
  [7, 'שבע'],
  [11, 'אחת עשרה'],
  [12, 'שתים עשרה'],
  [25, 'עשרים וחמש'],
  [100, 'מאה'],
  [102, 'מאה ושתים'],
  [342, 'שלוש מאות ארבעים ושתים'],
  [1000, 'אלף'],
  [2026, 'אלפים עשרים ושש'],
  [5300, 'חמשת אלפים ושלוש מאות'],
  [12_000, 'שנים עשר אלף'],
  [1_000_001, 'מיליון ואחת'],
] as const)('%d in Hebrew', (value, words) => {
  expect(bare(hebrewNumber(value))).toBe(words)
})

test.each([
  ['זה עולה 50 ₪', 'זה עולה חמישים שקלים'],
  ['זה עולה ₪1,250.50', 'זה עולה אלף מאתים וחמישים שקלים וחמישים אגורות'],
  ['1 ש"ח, 2 ש״ח ו-3 שקלים', 'שקל אחד, שני שקלים ו- שלושה שקלים'],
  ['054-1234567', 'אפס חמש ארבע, אחת שתים שלוש ארבע חמש שש שבע'],
  ['+972541234567', 'אפס חמש ארבע, אחת שתים שלוש, ארבע חמש שש שבע'],
  ['בשעה 14:30.', 'בשעה שתים וחצי בצהרים.'],
  ['ב-22/11', 'ב- עשרים ושנים בנובמבר'],
  ['15%', 'חמישה עשר אחוזים'],
  ['3.5', 'שלוש נקדה חמש'],
])('Hebrew: %s', (text, words) => {
  expect(bare(spellOut(text, 'he'))).toBe(words)
})

test.each([
  ['It is 50 ₪ or $1.', 'It is fifty shekels or one dollar.'],
  ['NIS 5', 'NIS five'],
  ['1,250.05 NIS', 'one thousand two hundred and fifty shekels and five agorot'],
  ['Call 03-5551234', 'Call zero three, five five five one two three four'],
  ['at 14:05', 'at two oh five P M'],
  ['on 3/5/2026', 'on May three, twenty twenty six'],
  ['3.25', 'three point two five'],
  ['12,345 people', 'twelve thousand three hundred and forty five people'],
  ['room 007', 'room zero zero seven'],
])('English: %s', (text, words) => {
  expect(spellOut(text, 'en')).toBe(words)
})

test('each script goes to its own voice, punctuation outside the phonemes', () => {
  expect(toRuns('שָׁלוֹם, מַה הַשֵּׁם?', 'he')).toEqual([{ voice: 'he', input: "[[Sal'om]], [[m'a haS'em]]?" }])
  expect(toRuns('You have reached דוד לוי. Hello!', 'en').map((run) => run.voice)).toEqual(['en-us', 'he', 'en-us'])
  expect(toRuns('הגעתם אל Acme Ltd.', 'he').map((run) => run.voice)).toEqual(['he', 'en-us'])
})

test('notation of the engine cannot be smuggled in, and nothing to say is nothing', () => {
  expect(toRuns('a [[b]] <speak>c</speak>', 'en')[0]?.input).not.toMatch(/[[\]<>]/)
  expect(toRuns(' ... !', 'en')).toEqual([])
  expect(toRuns('', 'he')).toEqual([])
})
