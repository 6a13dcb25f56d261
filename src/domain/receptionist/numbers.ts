import { parsePhone, plainNumber } from '../../lib/phone.ts'

/** No numbers to dial, however many digits they have together: dates and amounts. */
const DATE = /(?<![\d./-])(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:19|20)\d{2})(?![-/.]?\d)/g
const AMOUNT = /(?<![\d+.])(?:[1-9]\d{0,2}\.\d{3}|[1-9]\d?(?:\.\d{3}){2})(?!\.?\d)/g
/** What people put between the digits of one number. */
const BETWEEN = '[ ()./_-]{0,3}'
/** Digits that may be a number, or a short code such as *2700. */
const DIGITS = new RegExp(`[+(]{0,2}\\d(?:${BETWEEN}\\d)*|(?<![\\d*])\\*\\d{3,5}(?![\\d*])`, 'g')
const SEPARATED = new RegExp(`(?<=\\d)${BETWEEN}(?=\\d)`, 'g')
/** Fewer digits, such as a postal code, cannot be dialled; more are no number (E.164). */
const SHORTEST = 9
const LONGEST = 15
/** A text with more groups of digits than any message needs is not searched: all of them count as numbers. */
const MAX_GROUPS = 30

/** Phone numbers in a text: E.164, or the digits of one that only another country's plan knows. */
export function numbersIn(text: string): string[] {
  const runs = [...plain(text).replaceAll(DATE, '|').replaceAll(AMOUNT, '|').matchAll(DIGITS)]
    .map(([run]) => run)
    .filter((run) => run.startsWith('*') || digitsOf(run).length >= SHORTEST)
  const groups = runs.map((run) => run.split(/[ /]+/))
  if (groups.flat().length > MAX_GROUPS) return [...new Set(runs)]
  return [...new Set(groups.flatMap((run) => (run[0]?.startsWith('*') ? run : numbersOfRun(run))))]
}

/** The phone numbers of a text that neither stand in the business's own texts nor are its own. */
export function foreignNumbers(text: string, own: readonly string[]): string[] {
  const found = numbersIn(text)
  if (found.length === 0) return []
  const known = own.map((each) => plain(each).replace(SEPARATED, '')).join('\n')
  return found.filter((number) => !waysToWrite(number).some((way) => known.includes(way)))
}

const plain = (text: string) => plainNumber(text).replace(/\p{M}/gu, '')
const digitsOf = (text: string) => text.replace(/\D/g, '')

function waysToWrite(number: string): string[] {
  if (!number.startsWith('+')) return [number]
  const digits = digitsOf(number)
  const local = /^(972|1)(.+)$/.exec(digits)
  if (!local) return [digits]
  const [, country, national = ''] = local
  return [digits, country === '972' && !national.startsWith('1') ? `0${national}` : national]
}

/** The numbers in groups of digits: other digits may stand beside one, and one may have several groups. */
function numbersOfRun(groups: string[]): string[] {
  for (let from = 0; from < groups.length; from += 1)
    for (let to = groups.length; to > from; to -= 1) {
      const joined = groups.slice(from, to).join(' ')
      const digits = digitsOf(joined).length
      if (digits > LONGEST || digits < SHORTEST) continue
      const number = parsePhone(joined) ?? (digits < 12 ? parsePhone(joined, 'US') : null)
      if (number) return [...unreadNumbers(groups.slice(0, from)), number, ...numbersOfRun(groups.slice(to))]
    }
  return unreadNumbers(groups)
}

/** Numbers that begin like one and that no plan here knows. */
function unreadNumbers(groups: string[]): string[] {
  const digits = digitsOf(groups.join(''))
  const isNumber = /^\(?[+0]/.test(groups[0] ?? '') && digits.length >= SHORTEST && digits.length <= LONGEST
  return isNumber ? [digits] : []
}
