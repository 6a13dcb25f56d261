import { HEBREW_LEXICON } from './hebrew-lexicon.ts'

/**
 * Hebrew spelling to the phonemes of espeak-ng's voice `he`, as they stand between `[[` and `]]`. espeak's own reading of
 * Hebrew letters is consonant soup, so it never gets to see them.
 *
 * Pointed words go by rule: vowels as pointed, stress on the last syllable unless the pattern says otherwise; the accent
 * U+05AB (ole) on a letter puts the stress on its syllable. Unpointed words come from a lexicon, else they are guessed.
 */

const CONSONANTS: Record<string, string> = {
  א: '?',
  ב: 'v',
  ג: 'g',
  ד: 'd',
  ה: 'h',
  ו: 'v',
  ז: 'z',
  ח: 'X',
  ט: 't',
  י: 'j',
  כ: 'X',
  ך: 'X',
  ל: 'l',
  מ: 'm',
  ם: 'm',
  נ: 'n',
  ן: 'n',
  ס: 's',
  ע: '?',
  פ: 'f',
  ף: 'f',
  צ: 'ts',
  ץ: 'ts',
  ק: 'k',
  ר: 'R',
  ש: 'S',
  ת: 't',
}
const HARD: Record<string, string> = { ב: 'b', כ: 'k', ך: 'k', פ: 'p', ף: 'p' }
const WITH_GERESH: Record<string, string> = { ג: 'dZ', ז: 'Z', צ: 'tS', ץ: 'tS' }
const VOWELS: Record<string, Vowel> = {
  '\u05B0': 'shva',
  '\u05B1': 'e',
  '\u05B2': 'a',
  '\u05B3': 'o',
  '\u05B4': 'i',
  '\u05B5': 'e',
  '\u05B6': 'segol',
  '\u05B7': 'a',
  '\u05B8': 'a',
  '\u05B9': 'holam',
  '\u05BA': 'holam',
  '\u05BB': 'u',
  '\u05C7': 'o',
}
const DAGESH = '\u05BC'
const SIN_DOT = '\u05C2'
const STRESS = '\u05AB'
const POINTS = /[\u0591-\u05BD\u05BF-\u05C7]/g
const IS_POINTED = /[\u05B0-\u05BC\u05C1\u05C2\u05C7]/
const HEBREW_WORD = /[א-ת\u0591-\u05BD\u05BF-\u05C7'׳"״]*[א-ת][א-ת\u0591-\u05BD\u05BF-\u05C7'׳]*/g
/** What one-letter words glued to the front of a word sound like. */
const PREFIXES: Record<string, string> = { ו: 've', ה: 'ha', ב: 'be', ל: 'le', מ: 'mi', ש: 'Se', כ: 'ke' }

type Vowel = '' | 'a' | 'e' | 'i' | 'o' | 'u' | 'segol' | 'holam' | 'shva'
type Letter = { char: string; vowel: Vowel; dagesh: boolean; sin: boolean; geresh: boolean; stressed: boolean }
type Sound = { consonant: string; vowel: string; segol: boolean; furtive: boolean; stressed: boolean }

/** The phonemes of Hebrew text; punctuation and spaces stay, everything that is not Hebrew stays as it was. */
export function hebrewPhonemes(text: string): string {
  return text.normalize('NFD').replace(HEBREW_WORD, (word) => readWord(word.replace(/^["״'׳]+/, '')))
}

function readWord(word: string): string {
  if (IS_POINTED.test(word)) return readPointed(word)
  const bare = word.replace(POINTS, '').replaceAll('׳', "'").replaceAll('״', '"')
  const known = HEBREW_LEXICON[bare]
  if (known) return readPointed(known)
  const prefix = PREFIXES[bare.charAt(0)]
  if (prefix && bare.length === 1) return prefix
  const stem = HEBREW_LEXICON[bare.slice(1)]
  if (prefix && stem && bare.length > 3) return prefix + readPointed(stem).replace(/^\?/, '')
  return guessWord(bare)
}

function readPointed(word: string): string {
  const letters = parseLetters(word)
  const plain = letters.map((letter) => letter.char).join('')
  const sounds = toSounds(letters)
  const stress = findStress(sounds, letters)
  // "kol" is written with a plain qamats nearly everywhere and read with an o everywhere.
  if (plain === 'כל' && sounds[0]?.vowel === 'a') sounds[0].vowel = 'o'
  return sounds
    .map(({ consonant, vowel }, i) => consonant + (i === stress && vowel ? "'" : '') + vowel)
    .join('')
    .replace(/([^aeiou'])\1+/g, '$1')
    .replace(/\?$/, '')
}

function parseLetters(word: string): Letter[] {
  const letters: Letter[] = []
  for (const char of word.normalize('NFD')) {
    if (CONSONANTS[char]) {
      letters.push({ char, vowel: '', dagesh: false, sin: false, geresh: false, stressed: false })
      continue
    }
    const letter = letters.at(-1)
    if (!letter) continue
    const vowel = VOWELS[char]
    if (vowel) letter.vowel = vowel
    else if (char === DAGESH) letter.dagesh = true
    else if (char === SIN_DOT) letter.sin = true
    else if (char === STRESS) letter.stressed = true
    else if (char === "'" || char === '׳') letter.geresh = true
  }
  return letters
}

function toSounds(letters: Letter[]): Sound[] {
  const sounds: Sound[] = []
  letters.forEach((letter, i) => {
    const last = i === letters.length - 1
    const before = sounds.at(-1)
    if (letter.char === 'ו' && isVowelVav(letter)) {
      const vowel = letter.dagesh ? 'u' : 'o'
      if (before && !before.vowel) {
        before.vowel = vowel
        before.stressed ||= letter.stressed
      } else sounds.push(sound(i === 0 ? '?' : '', vowel, letter.stressed))
      return
    }
    if (letter.char === 'י' && !letter.vowel && !letter.dagesh && before && !startsVowelVav(letters[i + 1])) {
      const next = letters[i + 1]
      if (['i', 'e'].includes(before.vowel)) return
      // "-av" is written with a silent yod: דבריו
      if (next?.char === 'ו' && !next.vowel) return
      if (last || next?.char === 'ו') {
        sounds.push(sound('j', '', false))
        return
      }
    }
    if (isSilent(letter, letters[i + 1], i, last)) return
    const consonant = readConsonant(letter)
    const isGuttural = letter.char === 'ח' || letter.char === 'ע' || (letter.char === 'ה' && letter.dagesh)
    if (last && letter.vowel === 'a' && isGuttural && before && /[ioue]/.test(before.vowel)) {
      sounds.push({ ...sound('', 'a', false), furtive: true }, sound(consonant, '', false))
      return
    }
    sounds.push({
      ...sound(consonant, readVowel(letters, i), letter.stressed),
      segol: letter.vowel === 'segol',
    })
  })
  return sounds
}

function sound(consonant: string, vowel: string, stressed: boolean): Sound {
  return { consonant, vowel, segol: false, furtive: false, stressed }
}

/** A vav that is a vowel itself: shuruk (dot, no vowel) or holam male. */
function isVowelVav(letter: Letter): boolean {
  return (letter.dagesh && letter.vowel === '') || (letter.vowel === 'holam' && !letter.dagesh)
}

function startsVowelVav(letter: Letter | undefined): boolean {
  return letter?.char === 'ו' && isVowelVav(letter)
}

/** Alef without a vowel, and he at the end of a word, are not heard. */
function isSilent(letter: Letter, next: Letter | undefined, index: number, last: boolean): boolean {
  if (letter.vowel !== '') return false
  if (letter.char === 'א') return index > 0 && !startsVowelVav(next)
  return letter.char === 'ה' && last && !letter.dagesh
}

function readConsonant(letter: Letter): string {
  if (letter.geresh && WITH_GERESH[letter.char]) return WITH_GERESH[letter.char] ?? ''
  if (letter.char === 'ש' && letter.sin) return 's'
  return (letter.dagesh ? HARD[letter.char] : undefined) ?? CONSONANTS[letter.char] ?? ''
}

function readVowel(letters: Letter[], index: number): string {
  const letter = letters[index]
  if (!letter) return ''
  if (letter.vowel === 'holam') return 'o'
  if (letter.vowel === 'segol') return 'e'
  if (letter.vowel !== 'shva') return letter.vowel
  const before = letters[index - 1]
  const last = index === letters.length - 1
  if (index === 0) return /[ולבכמנרית]/.test(letter.char) ? 'e' : ''
  if (before?.vowel === 'shva' && !last) return 'e'
  if (letters[index + 1]?.char === letter.char) return 'e'
  // After the article: ha-lekukhot, ha-medina.
  if (index === 1 && before?.char === 'ה' && letter.dagesh && /[למנר]/.test(letter.char)) return 'e'
  return ''
}

/** The index of the stressed sound; −1 for a word without a vowel. */
function findStress(sounds: Sound[], letters: Letter[]): number {
  const marked = sounds.findIndex((one) => one.stressed)
  if (marked >= 0) return marked
  const vowels = sounds.flatMap((one, i) => (one.vowel && !one.furtive ? [i] : []))
  const last = vowels.at(-1)
  const penult = vowels.at(-2)
  if (last === undefined) return -1
  if (penult === undefined) return last
  return isPenultimate(sounds, letters, last, penult) ? penult : last
}

function isPenultimate(sounds: Sound[], letters: Letter[], last: number, penult: number): boolean {
  const lastSound = sounds[last]
  const penultSound = sounds[penult]
  if (!lastSound || !penultSound) return false
  const spelled = sounds.map((one) => one.consonant + one.vowel).join('')
  const plain = letters.map((letter) => letter.char).join('')
  const closed = sounds.length - 1 > last && !sounds.slice(last + 1).some((one) => one.furtive)
  const isSegolate =
    closed &&
    lastSound.segol &&
    (penultSound.segol || penultSound.vowel === 'o') &&
    sounds.every((one) => one.vowel !== 'i')
  if (isSegolate && last - penult === 1 && sounds.filter((one) => one.vowel).length === 2) return true
  if (/ajim$/.test(spelled)) return true
  // Suffixes that never carry the stress: -ti, -ta of the past, -nu, -ekha.
  if (/[^aeiou]ti$/.test(spelled) && plain.endsWith('תי') && letters.at(-3)?.vowel === 'shva') return true
  if (/[^aeiou]ta$/.test(spelled) && plain.endsWith('ת') && letters.at(-2)?.vowel === 'shva') return true
  if (/[aeiou]nu$/.test(spelled) && plain.endsWith('נו')) return true
  return /eXa$/.test(spelled) && plain.endsWith('יך')
}

/** Unpointed and unknown: vowel letters as vowels, an "a" first and an "e" after between the rest. Not correct Hebrew. */
function guessWord(word: string): string {
  const isAcronym = /["״]/.test(word)
  const letters = [...word].filter((char) => CONSONANTS[char])
  let out = ''
  letters.forEach((char, i) => {
    const first = i === 0
    const last = i === letters.length - 1
    const afterVowel = /[aeiou]$/.test(out)
    if (!first && char === 'ו') {
      if (letters[i + 1] === 'ו') return
      out += letters[i - 1] === 'ו' ? 'v' : last ? 'u' : 'o'
    } else if (!first && char === 'י') out += afterVowel ? 'j' : 'i'
    else if (!first && (char === 'א' || (char === 'ה' && last))) out += afterVowel ? '' : 'a'
    else {
      if (!first && !afterVowel) out += isAcronym || i === 1 ? 'a' : 'e'
      out += (first ? HARD[char] : undefined) ?? CONSONANTS[char] ?? ''
    }
  })
  const stress = out.search(/[aeiou][^aeiou]*$/)
  return stress < 0 ? out : `${out.slice(0, stress)}'${out.slice(stress)}`.replace(/\?$/, '')
}
