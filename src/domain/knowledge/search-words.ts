import { stripPoints } from '../../lib/hebrew.ts'
import { MEANINGS } from './meanings.ts'

/** Tokens for search. Hebrew words carry prefixes, plural and owner, and ו and י are optional; texts and questions alike. */

const PREFIXES = [
  ...'והבלמשכ',
  'וה',
  'וב',
  'ול',
  'ומ',
  'וש',
  'וכ',
  'שה',
  'שב',
  'שמ',
  'מה',
  'כש',
  'לה',
  'בה',
  'וכש',
  'ושה',
]
/** Plural, construct and owner, their final letters written as inside a word; the longest first. */
const SUFFIXES = [
  ...[
    'יותיהמ',
    'ותיהמ',
    'ותיכמ',
    'יותינו',
    'ותינו',
    'יכמ',
    'ינו',
    'יהמ',
    'ותיו',
    'כמ',
    'נו',
    'יות',
    'יימ',
    'ות',
    'ימ',
    'ית',
    'יה',
  ],
  ...'תהיכו',
]
const ENGLISH_SUFFIXES = [
  ...['ations', 'ation', 'ments', 'ment', 'ings', 'ing', 'ions', 'ion', 'ized', 'ised', 'able', 'ness', 'ance', 'ence'],
  ...['ies', 'ied', 'ers', 'ors', 'ees', 'ist', 'al', 'er', 'or', 'ee', 'ed', 'es', 's', 'ly', 'y', 'e'],
]

const FINAL_LETTERS: Readonly<Record<string, string>> = { ך: 'כ', ם: 'מ', ן: 'נ', ף: 'פ', ץ: 'צ' }

/** How much a token of each kind proves: the word itself, without prefix, its stem, its consonants. */
const WEIGHTS = {
  ...{ word: 1, bare: 0.85, stem: 0.65, consonants: 0.5, twoConsonants: 0.25 },
  ...{ sound: 0.4, root: 0.35, meaning: 0.45, alike: 0.55 },
}

const EMPTY_WORDS = new Set(
  normal(
    `של את עם אל אם או כי זה זו זאת הוא היא הם הן אני אנחנו אתם אתן אתה לי לך לנו לכם שלי שלך שלכם שלנו יש אין לא כן גם רק כבר עוד מאוד
     מה מי איך למה האם אפשר ניתן צריך צריכה צריכים רוצה רוצים רציתי היה היתה הייתה היו יהיה להיות עושים עושה לעשות תעשו כל כמו אבל אז פה שם
     אצלכם אצלי אתכם איתכם אליכם אליי אלי אותי אותו אותה אותך שאני שאתם בבקשה תודה שלום היי הי בכלל ממש קצת סתם פשוט מישהו מישהי משהו
     כזה כזאת ככה איזה איזו אילו בערך אולי נראה חושב חושבת לדעת לשאול שאלה רגע עכשיו כרגע יכול יכולה יכולים תוכלו תוכל אוכל נוכל
     חייב חייבת חייבים לגבי בשביל בגלל כדי מתוך ליד לפי אצל תגידו תגיד טוב בסדר נכון הזה הזאת זהו אפילו מספיק
     the a an of to in on at for and or is are be been do does did can could would will you your we our i my me it its this that there have has had
     with from by as if so please hello hi any what how when who which about get need want like am was one some just really know tell ask us im ive id
     were they them he she his her their then than very also too into out up`,
  ),
)

/** A text as words: lower case, without points, quotes inside words and final letters, numbers in one piece. */
export function normal(text: string): string[] {
  const plain = stripPoints(text.normalize('NFKC').replaceAll('\u05be', ' '))
    .toLowerCase()
    .replace(/(?<=[\u05d0-\u05ea])["'\u05f3\u05f4\u2019\u201d](?=[\u05d0-\u05ea])/g, '')
    .replace(/(?<=\d),(?=\d{3}(?!\d))/g, '')
    .replace(/(?<=[a-z])['’](?=[a-z])/g, '')
    .replace(/\b(wi|e)-(?=[a-z])/g, '$1')
  const words = plain.match(/[\u05d0-\u05ea]+|[\p{L}\p{N}]+/gu) ?? []
  return words.map((word) => word.replace(/[ךםןףץ]/g, (letter) => FINAL_LETTERS[letter] ?? letter))
}

/** The words of a question that say what it is about; all of them when none does. */
export function wordsOfQuestion(question: string): string[] {
  const words = [...new Set(normal(question))]
  const telling = words.filter((word) => word.length > 1 && !EMPTY_WORDS.has(word))
  return telling.length > 0 ? telling : words
}

/** Each thing that a question is about, by its tokens and what they prove: its words, and words that count together. */
export function conceptsOf(question: string): { words: string[]; tokens: ReadonlyMap<string, number> }[] {
  const together = phrasesIn(normal(question))
  const concepts: { words: string[]; tokens: Map<string, number>; meanings: Set<string> }[] = []
  // Words of one meaning are one concept: "how much does it cost" is no more than "price".
  const add = (word: string | null, tokens: ReadonlyMap<string, number>) => {
    const meanings = [...tokens.keys()].filter((token) => token.startsWith('m'))
    const same = concepts.find((concept) => meanings.some((meaning) => concept.meanings.has(meaning)))
    const concept = same ?? { words: [], tokens: new Map<string, number>(), meanings: new Set(meanings) }
    if (!same) concepts.push(concept)
    if (word) concept.words.push(word)
    for (const [token, weight] of tokens) concept.tokens.set(token, Math.max(concept.tokens.get(token) ?? 0, weight))
  }
  const covered = new Map<string, Map<string, number>>()
  for (const { words, meanings } of together) {
    const tokens = new Map(meanings.map((meaning) => [`m${meaning}`, WEIGHTS.meaning + 0.1]))
    add(null, tokens)
    for (const word of words) covered.set(word, tokens)
  }
  for (const word of wordsOfQuestion(question)) {
    const tokens = tokensOf(word)
    const whole = covered.get(word)
    // What a word means alone says less than what it means together with its neighbour.
    add(word, whole ? new Map([...[...tokens].filter(([token]) => !token.startsWith('m')), ...whole]) : tokens)
  }
  return concepts
}

/** Every token of a text. */
export function tokensIn(text: string): Set<string> {
  const tokens = new Set<string>()
  const words = normal(text)
  for (const word of new Set(words)) for (const token of tokensOf(word).keys()) tokens.add(token)
  for (const { meanings } of phrasesIn(words)) for (const meaning of meanings) tokens.add(`m${meaning}`)
  for (const [pattern, word] of SHOWN)
    if (pattern.test(text)) for (const meaning of meaningsOf(word)) tokens.add(`m${meaning}`)
  return tokens
}

/** What a text is about without a word for it: a price list need not say "price", nor opening hours "hours". */
const SHOWN: readonly (readonly [RegExp, string])[] = [
  [/\d\s?(?:₪|ש["״]ח|שקל|שח(?!\p{L})|\$|€|£|dollars?|pounds|euros?|nis)|[₪$€£]\s?\d/iu, 'מחיר'],
  [/\d{1,2}(?::\d{2})?\s?[-–]\s?\d{1,2}:\d{2}|\d{1,2}\s?(?:am|pm)\b/i, 'שעות'],
]

/** Texts repeat their words, and what a word comes to depends on nothing else. */
const KEPT_WORDS = 20_000
const known = new Map<string, ReadonlyMap<string, number>>()

/** The tokens that stand for a normal word, and how much each of them proves. */
export function tokensOf(word: string): ReadonlyMap<string, number> {
  const kept = known.get(word)
  if (kept) return kept
  const tokens = makeTokens(word)
  if (known.size >= KEPT_WORDS) known.clear()
  known.set(word, tokens)
  return tokens
}

const PROOFS: Readonly<Record<string, number>> = { '=': 1, b: 0.9, s: 0.8, m: 0.8, k: 0.5, p: 0.5, r: 0.4 }

/** How likely it is that a token of each kind stands for the word that was meant. */
export function proofOf(token: string): number {
  const [kind = ''] = token
  return kind === 'k' && token.length < 4 ? 0.25 : (PROOFS[kind] ?? 0)
}

function makeTokens(word: string): Map<string, number> {
  const tokens = new Map<string, number>()
  const add = (token: string, weight: number) => tokens.set(token, Math.max(tokens.get(token) ?? 0, weight))
  add(`=${word}`, WEIGHTS.word)
  if (isHebrewWord(word)) addHebrew(word, add)
  else if (/^[a-z]+$/.test(word)) addEnglish(word, add)
  return tokens
}

const isHebrewWord = (word: string) => /^[\u05d0-\u05ea]/.test(word)

type Add = (token: string, weight: number) => void

function basesOf(word: string): string[] {
  const bases = PREFIXES.filter((prefix) => word.startsWith(prefix)).map((prefix) => word.slice(prefix.length))
  return [word, ...bases.filter((base) => base.length >= 3)]
}

function addHebrew(word: string, add: Add): void {
  for (const base of basesOf(word)) {
    add(`b${base}`, WEIGHTS.bare)
    for (const stem of stemsOf(base)) {
      add(`s${stem}`, WEIGHTS.stem)
      const consonants = skeletonOf(stem)
      if (consonants.length > 1)
        add(`k${consonants}`, consonants.length > 2 ? WEIGHTS.consonants : WEIGHTS.twoConsonants)
      const sound = soundOf(consonants)
      if (sound.length > 2) add(`p${sound}`, WEIGHTS.sound)
    }
    for (const root of rootsOf(base)) add(`r${root}`, WEIGHTS.root)
    for (const meaning of meaningsOf(base)) add(`m${meaning}`, WEIGHTS.meaning)
  }
}

/** A stem without the letters that may be written or not. */
function skeletonOf(stem: string): string {
  return stem.length > 2 ? stem.charAt(0) + stem.slice(1).replace(/[וי]/g, '') : stem
}

const SAME_SOUND: Readonly<Record<string, string>> = { ט: 'ת', ק: 'כ', ס: 'ש', ח: 'כ' }

/** Letters that sound alike are one, and those that are hardly heard are left out: loan words and typing errors. */
function soundOf(consonants: string): string {
  const inside = consonants.slice(1).replace(/[אעה]/g, '')
  return (consonants.charAt(0).replace('ע', 'א') + inside).replace(/[טקסח]/g, (letter) => SAME_SOUND[letter] ?? letter)
}

/** What verbs put before their root, the longest first. */
const VERB_PREFIXES = ['הת', 'מת', 'ית', 'את', 'נת', 'תת', ...'הנתמיא']
const VERB_SUFFIXES = ['תימ', 'תי', 'נו', 'תמ', 'ות', 'ימ', 'ינ', 'ונ', 'נ', 'ת', 'ה', 'ו', 'י', '']

/** The three consonants that a word may come from. */
function rootsOf(base: string): Set<string> {
  const roots = new Set<string>()
  if (base.length < 4) return roots
  for (const prefix of ['', ...VERB_PREFIXES.filter((each) => base.startsWith(each))])
    for (const suffix of VERB_SUFFIXES) {
      if (!base.endsWith(suffix) || base.length - prefix.length - suffix.length < 3) continue
      const root = skeletonOf(base.slice(prefix.length, base.length - suffix.length))
      if (root.length === 3) roots.add(root)
    }
  return roots
}

function stemsOf(base: string): string[] {
  const stems = SUFFIXES.filter(
    (suffix) => base.endsWith(suffix) && base.length - suffix.length >= (suffix.length > 1 ? 2 : 3),
  ).map((suffix) => base.slice(0, -suffix.length))
  return [base, ...stems]
}

function englishStemsOf(word: string): string[] {
  const cut = ENGLISH_SUFFIXES.filter((suffix) => word.endsWith(suffix) && word.length - suffix.length >= 3).map(
    (suffix) => word.slice(0, -suffix.length),
  )
  // "planned", "cleaner": a doubled letter before the ending is one.
  return [word, ...cut, ...cut.filter((stem) => /([b-df-hj-np-tv-z])\1$/.test(stem)).map((stem) => stem.slice(0, -1))]
}

function addEnglish(word: string, add: Add): void {
  for (const stem of englishStemsOf(word)) add(`s${stem}`, WEIGHTS.stem)
  for (const meaning of meaningsOf(word)) add(`m${meaning}`, WEIGHTS.meaning)
}

type Groups = {
  words: Map<string, Set<number>>
  pairs: Map<string, Set<number>>
  /** Words with which a phrase begins, and with which it goes on. */
  begins: Set<string>
  goesOn: Set<string>
  longest: number
}
let groups: Groups | null = null

/** The groups of `MEANINGS` that a word without prefix belongs to, in any of its forms. */
export function meaningsOf(word: string): number[] {
  groups ??= readGroups()
  return [...new Set(meaningStems(word).flatMap((stem) => [...(groups?.words.get(stem) ?? [])]))]
}

function readGroups(): Groups {
  const made: Groups = { words: new Map(), pairs: new Map(), begins: new Set(), goesOn: new Set(), longest: 1 }
  for (const [group, line] of MEANINGS.entries())
    for (const entry of line.split(' ')) {
      const words = normal(entry.replaceAll('_', ' '))
      const [first = ''] = words
      if (words.length === 1)
        for (const stem of meaningStems(first)) made.words.set(stem, (made.words.get(stem) ?? new Set()).add(group))
      else {
        const [head = '', ...tail] = words.map(shortStem)
        made.begins.add(head)
        for (const word of tail) made.goesOn.add(word)
        const key = [head, ...tail].join(' ')
        made.pairs.set(key, (made.pairs.get(key) ?? new Set()).add(group))
        made.longest = Math.max(made.longest, words.length)
      }
    }
  return made
}

/** Short stems stand for too many words. */
const meaningStems = (word: string): string[] =>
  isHebrewWord(word)
    ? stemsOf(word).filter((stem) => stem === word || stem.length > 3)
    : englishStemsOf(word).filter((stem) => stem === word || stem.length > 3)

/** One form for all inflections of a word in a phrase. */
function shortStem(word: string): string {
  return meaningStems(word).reduce((shortest, stem) => (stem.length < shortest.length ? stem : shortest), word)
}

/** The forms in which a word may begin or continue a phrase, most words none. */
const phraseForms = new Map<string, { first: string[]; rest: string[] }>()

function formsOf(word: string, { begins, goesOn }: Groups): { first: string[]; rest: string[] } {
  const kept = phraseForms.get(word)
  if (kept) return kept
  const isHebrew = isHebrewWord(word)
  const first = (isHebrew ? basesOf(word) : [word]).map(shortStem).filter((form) => begins.has(form))
  const rest = (isHebrew ? [word, word.replace(/^[הלב]/, '')] : [word])
    .map(shortStem)
    .filter((form) => goesOn.has(form))
  const made = { first: [...new Set(first)], rest: [...new Set(rest)] }
  if (phraseForms.size >= KEPT_WORDS) phraseForms.clear()
  phraseForms.set(word, made)
  return made
}

/** Words in a row that count together. */
function phrasesIn(words: readonly string[]): { words: string[]; meanings: number[] }[] {
  groups ??= readGroups()
  const { pairs, longest } = groups
  const found: { words: string[]; meanings: number[] }[] = []
  for (const [at, word] of words.entries()) {
    let keys = formsOf(word, groups).first
    for (let length = 2; keys.length > 0 && length <= longest; length++) {
      const next = words[at + length - 1]
      if (next === undefined) break
      const { rest } = formsOf(next, groups)
      keys = keys.flatMap((key) => rest.map((form) => `${key} ${form}`))
      for (const key of keys) {
        const meanings = pairs.get(key)
        if (meanings) found.push({ words: words.slice(at, at + length), meanings: [...meanings] })
      }
    }
  }
  return found
}

/** Whether two words differ by one typing error: a letter more, less, other, or two swapped. */
export function isAlike(a: string, b: string): boolean {
  if (a === b) return true
  if (Math.abs(a.length - b.length) > 1) return false
  let from = 0
  while (from < a.length && a[from] === b[from]) from += 1
  const [restA, restB] = [a.slice(from), b.slice(from)]
  if (a.length !== b.length) return a.length > b.length ? restA.slice(1) === restB : restB.slice(1) === restA
  if (restA.slice(1) === restB.slice(1)) return true
  return restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2)
}

/** What a word that resembles the one that was asked proves. */
export const ALIKE_WEIGHT = WEIGHTS.alike
