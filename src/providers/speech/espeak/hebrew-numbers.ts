/** Numbers in pointed Hebrew words. Things counted are masculine or feminine; bare numbers are feminine. */

export type Gender = 'feminine' | 'masculine'

const FEMININE = 'אֶ֫פֶס אַחַת שְׁתַּ֫יִם שָׁלוֹשׁ אַ֫רְבַּע חָמֵשׁ שֵׁשׁ שֶׁ֫בַע שְׁמ֫וֹנֶה תֵּ֫שַׁע עֶ֫שֶׂר'.split(' ')
const MASCULINE = 'אֶ֫פֶס אֶחָד שְׁנַ֫יִם שְׁלוֹשָׁה אַרְבָּעָה חֲמִישָּׁה שִׁישָּׁה שִׁבְעָה שְׁמוֹנָה תִּשְׁעָה עֲשָׂרָה'.split(' ')
const FEMININE_TEENS = ' אַחַת שְׁתֵּים שְׁלוֹשׁ אַרְבַּע חֲמֵשׁ שֵׁשׁ שְׁבַע שְׁמוֹנֶה תְּשַׁע'.split(' ')
const MASCULINE_TEENS = ' אַחַד שְׁנֵים שְׁלוֹשָׁה אַרְבָּעָה חֲמִישָּׁה שִׁישָּׁה שִׁבְעָה שְׁמוֹנָה תִּשְׁעָה'.split(' ')
const TENS = '  עֶשְׂרִים שְׁלוֹשִׁים אַרְבָּעִים חֲמִישִּׁים שִׁישִּׁים שִׁבְעִים שְׁמוֹנִים תִּשְׁעִים'.split(' ')
/** Before "thousands": shloshet alafim. */
const CONSTRUCT = '   שְׁלֹ֫שֶׁת אַרְבַּ֫עַת חֲמֵ֫שֶׁת שֵׁ֫שֶׁת שִׁבְעַת שְׁמוֹנַת תִּשְׁעַת עֲשֶׂ֫רֶת'.split(' ')

export const HEBREW_MONTHS = 'יָ֫נוּאָר פֶ֫בְּרוּאָר מֶרְץ אַפְּרִיל מַאי י֫וּנִי י֫וּלִי א֫וֹגוּסְט סֶפְּטֶ֫מְבֶּר אוֹקְט֫וֹבֶּר נוֹבֶ֫מְבֶּר דֶּצֶ֫מְבֶּר'.split(' ')

/** A whole number from 0 to 999,999,999 in pointed words. */
export function hebrewNumber(value: number, gender: Gender = 'feminine'): string {
  if (value === 0) return FEMININE[0] ?? ''
  const parts = [
    ...millions(Math.floor(value / 1e6)),
    ...thousands(Math.floor(value / 1000) % 1000),
    ...below1000(value % 1000, gender),
  ]
  const last = parts.pop() ?? ''
  return parts.length === 0 ? last : `${parts.join(' ')} ${withAnd(last)}`
}

/** One digit as it is dictated: feminine. */
export function hebrewDigit(digit: string): string {
  return FEMININE[Number(digit)] ?? ''
}

/** "and" before a word: u- before a labial and before a letter with a shva, ve- before all else. */
export function withAnd(word: string): string {
  return /^([במפו]|[א-ת][\u0591-\u05AF\u05BC\u05C1\u05C2]*\u05B0)/.test(word.normalize('NFD')) ? `וּ${word}` : `וְ${word}`
}

/** A count of something, the noun included: one thing is "a thing one", two are "two-of things". */
export function hebrewCount(value: number, noun: { one: string; many: string }): string {
  if (value === 1) return `${noun.one} אֶחָד`
  if (value === 2) return `שְׁנֵי ${noun.many}`
  return `${hebrewNumber(value, 'masculine')} ${noun.many}`
}

function millions(count: number): string[] {
  if (count === 0) return []
  if (count === 1) return ['מִילְיוֹן']
  return [`${count === 2 ? 'שְׁנֵי' : hebrewNumber(count, 'masculine')} מִילְיוֹן`]
}

function thousands(count: number): string[] {
  if (count === 0) return []
  if (count === 1) return ['אֶ֫לֶף']
  if (count === 2) return ['אַלְפַּ֫יִם']
  if (count <= 10) return [`${CONSTRUCT[count]} אֲלָפִים`]
  return [`${hebrewNumber(count, 'masculine')} אֶ֫לֶף`]
}

function below1000(value: number, gender: Gender): string[] {
  const hundreds = Math.floor(value / 100)
  const rest = value % 100
  const units = gender === 'feminine' ? FEMININE : MASCULINE
  const parts: string[] = []
  if (hundreds === 1) parts.push('מֵאָה')
  else if (hundreds === 2) parts.push('מָאתַ֫יִם')
  else if (hundreds > 2) parts.push(`${(FEMININE_TEENS[hundreds] ?? '').trim()} מֵאוֹת`)
  if (rest === 0) return parts
  if (rest <= 10) parts.push(units[rest] ?? '')
  else if (rest < 20)
    parts.push(gender === 'feminine' ? `${FEMININE_TEENS[rest - 10]} עֶשְׂרֵה` : `${MASCULINE_TEENS[rest - 10]} עָשָׂר`)
  else {
    parts.push(TENS[Math.floor(rest / 10)] ?? '')
    if (rest % 10 > 0) parts.push(units[rest % 10] ?? '')
  }
  return parts
}
