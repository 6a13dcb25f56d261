import type { AgentToolRun } from '../../../db/schema/index.ts'

/** What a reply may rest on. */
export type GuardFacts = {
  /** Of this conversation, the latest last. */
  tools: readonly AgentToolRun[]
  /** What the business knows and what is remembered: texts, hours, memory. */
  known: readonly string[]
  /** What the customer wrote: repeated in a question, it is no claim. */
  said: readonly string[]
  /** What the agent said before, which was looked at then. */
  before: readonly string[]
  /** What must not be repeated. */
  instructions: string
}

/** What is claimed, as a kind and the words. */
export type GuardHit = {
  kind: 'booked' | 'cancelled' | 'sent' | 'paid' | 'saved' | 'amount' | 'time' | 'phone' | 'url' | 'prompt'
  words: string
}

const edge = (pattern: string) => new RegExp(`(?<!\\p{L})(?:${pattern})(?!\\p{L})`, 'iu')

/** Statements that something was done, by what would have done it. Hebrew has no word edges that `\b` knows. */
const CLAIMS: readonly { kind: GuardHit['kind']; pattern: RegExp }[] = [
  {
    kind: 'booked',
    pattern: edge(
      "(?:i(?:'ve| have)?|we(?:'ve| have)?|you(?:'re| are)|it(?:'s| is| was)|(?:is|are|was|were|been|has been|appointment|visit|slot|time))(?: now| already| all| just| successfully)* (?:booked|scheduled|reserved|confirmed|rescheduled|moved|set|locked in)|all set|see you (?:on|at|tomorrow|sunday|monday|tuesday|wednesday|thursday|friday|then)|booking (?:is )?(?:confirmed|complete)|we(?:'ll| will) (?:be )?(?:expect|waiting|there)",
    ),
  },
  {
    kind: 'booked',
    pattern: edge(
      'קבעתי|קבענו|נקבע\\p{L}*|שריינתי|שריינו|שוריינ?\\p{L}*|הזמנתי|תיאמתי|תואמ?\\p{L}*|סגרתי (?:לך|לכם)|סגרנו|שמרתי (?:לך|לכם)|הועבר\\p{L}* ל|הזזתי|העברתי את התור|מחכים (?:לך|לכם)|נתראה (?:ב|מחר|ביום)|מסודר|הטכנאי בדרך|בדרך אלי\\p{L}*|רשמתי (?:לך|לכם|אותך|אתכם) (?:תור|ל)',
    ),
  },
  {
    kind: 'cancelled',
    pattern: edge(
      "(?:i(?:'ve| have)?|we(?:'ve| have)?|is|was|been|has been)(?: now| already| just)* cancel+ed|ביטלתי|ביטלנו|בוטל\\p{L}*|התור מבוטל",
    ),
  },
  {
    kind: 'sent',
    pattern: edge(
      "(?:i(?:'ve| have| just)?|we(?:'ve| have| just)?|was|been)(?: now| already| just)* (?:sent|e-?mailed|texted)|שלחתי|שלחנו|נשלח\\p{L}*",
    ),
  },
  {
    kind: 'paid',
    pattern: edge(
      "(?:payment|refund|deposit)(?: has been| was| is)?(?: now| already)* (?:received|approved|processed|issued|confirmed|complete\\p{L}*)|(?:i(?:'ve| have)?|we(?:'ve| have)?) (?:refunded|charged|approved)|התשלום (?:התקבל|אושר|עבר)|זיכיתי|זיכינו|הוחזר\\p{L}*|החזרנו|אישרתי|אישרנו|ההנחה אושרה",
    ),
  },
  {
    kind: 'saved',
    pattern: edge(
      "(?:i(?:'ve| have)?|we(?:'ve| have)?|is|was|been|has been)(?: now| already| just)* (?:saved|noted|recorded|registered|updated|passed (?:it |this |that |your \\p{L}+ )?on|forwarded|notified|informed)|רשמתי|רשמנו|נרשמ\\p{L}*|נרשם|עדכנתי|עודכנ\\p{L}*|שמרתי את|העברתי (?:את )?(?:ה?הודעה|הפרטים|הפנייה)|הועברה?|מסרתי",
    ),
  },
]

/** Tools whose success backs a claim. */
const BACKED_BY: Partial<Record<GuardHit['kind'], ReadonlySet<string>>> = {
  booked: new Set(['book_appointment', 'reschedule_appointment']),
  cancelled: new Set(['cancel_appointment']),
  saved: new Set([
    ...['save_lead', 'update_contact', 'take_message', 'no_answer', 'handover'],
    ...['book_appointment', 'reschedule_appointment', 'join_waiting_list'],
  ]),
}

const NEGATED = edge(
  "not|n't|never|cannot|can't|couldn't|no|unable|yet|if|once|when|after|before|until|would|could|can|may|should|to be|unless|לא|אין|טרם|עדיין|אם|כאשר|כש\\p{L}+|לאחר|אחרי|ברגע|לפני|עד|אפשר|ניתן|יכול\\p{L}*|צריך|כדי",
)

/** What of a reply nothing backs; empty when all of it is. */
export function findUnbacked(reply: string, facts: GuardFacts): GuardHit[] {
  const sentences = reply.split(/(?<=[.!?\n])\s+|\n+/u).filter((each) => each.trim() !== '')
  const backing = backingOf(facts)
  return [
    ...sentences.flatMap((sentence) => claimsIn(sentence, facts)),
    ...sentences.flatMap((sentence) => valuesIn(sentence, facts, backing)),
    ...leaks(reply, facts),
  ]
}

/** A time that is only kept while the customer decides. */
const isKept = ({ output }: AgentToolRun) =>
  typeof output === 'object' && output !== null && 'kept' in output && output.kept === true
const succeeded = ({ error, output }: AgentToolRun) => error === undefined && output !== undefined

function claimsIn(sentence: string, { tools, known }: GuardFacts): GuardHit[] {
  if (sentence.trim().endsWith('?')) return []
  return CLAIMS.flatMap(({ kind, pattern }) => {
    const found = pattern.exec(sentence)
    if (!found) return []
    // Only what stands before the claim turns it around.
    if (NEGATED.test(sentence.slice(0, found.index)) || NEGATED.test(found[0])) return []
    const tool = BACKED_BY[kind]
    if (tool && tools.some((run) => tool.has(run.name) && succeeded(run) && !(kind === 'booked' && isKept(run))))
      return []
    // What the business writes of itself, or what is remembered, may be said again.
    if (known.some((text) => text.includes(found[0]))) return []
    return [{ kind, words: found[0] }]
  })
}

type Backing = { text: string; numbers: ReadonlySet<string>; times: ReadonlySet<string> }

function backingOf({ tools, known, before }: GuardFacts): Backing {
  const text = [...tools.filter(succeeded).map(({ output }) => JSON.stringify(output)), ...known, ...before].join('\n')
  return { text, numbers: new Set(numbersIn(text)), times: new Set(timesIn(text)) }
}

const AMOUNT =
  /(?:[₪$€£]\s*(\d[\d,]*(?:\.\d+)?))|(\d[\d,]*(?:\.\d+)?)\s*(?:₪|%|\$|€|ש["״']?ח|שקל\p{L}*|אחוז\p{L}*|nis|ils|shekels?|dollars?|usd|euros?|percent)(?!\p{L})/giu
const FREE = edge('free of charge|for free|at no cost|on the house|בחינם|חינם|ללא עלות|ללא תשלום|במתנה')
const TIME = /(?<![\d:.])(\d{1,2}):(\d{2})(?![\d:])|(?<![\d:.])(\d{1,2})\s*(am|pm)(?!\p{L})/giu
const PHONE = /(?<![\d.,])\+?\d[\d\s()-]{6,}\d(?![\d.,]*\d)/g
const URL =
  /(?:https?:\/\/|www\.)[^\s<>"')\]]+|(?<![@\p{L}\d.])(?:[a-z0-9-]+\.)+(?:com|net|org|io|il|co|info|biz|me|app|link|ly|gl|xyz|ru|site|online|shop)(?:\/[^\s]*)?(?![\p{L}\d])/giu

function valuesIn(sentence: string, { said }: GuardFacts, backing: Backing): GuardHit[] {
  const asked = sentence.trim().endsWith('?') ? said.join('\n') : ''
  const hits: GuardHit[] = []
  const amounts = [...sentence.matchAll(AMOUNT)].map(
    ([words, before, after]) => [words, plain(before ?? after ?? '')] as const,
  )
  const askedNumbers = new Set(numbersIn(asked))
  for (const [words, number] of amounts)
    if (!backing.numbers.has(number) && !askedNumbers.has(number)) hits.push({ kind: 'amount', words })
  const free = FREE.exec(sentence)
  if (
    free &&
    !FREE.test(backing.text) &&
    !NEGATED.test(sentence.slice(0, free.index)) &&
    !sentence.trim().endsWith('?')
  )
    hits.push({ kind: 'amount', words: free[0] })
  const askedTimes = new Set(timesIn(asked))
  for (const time of timesIn(sentence))
    if (!backing.times.has(time) && !askedTimes.has(time)) hits.push({ kind: 'time', words: time })
  const digits = backing.text.replace(/\D+/g, ' ').replaceAll(' ', '')
  for (const [words] of sentence.matchAll(PHONE)) {
    const number = words.replace(/\D/g, '')
    if (number.length >= 8 && !looksLikeDate(words) && !digits.includes(number.replace(/^(972|0)/, '')))
      hits.push({ kind: 'phone', words })
  }
  for (const [words] of sentence.matchAll(URL))
    if (!backing.text.toLowerCase().includes(words.toLowerCase().replace(/[.,;:!?]+$/, '')))
      hits.push({ kind: 'url', words })
  return hits
}

const looksLikeDate = (words: string) =>
  /^\d{4}-\d{2}-\d{2}/.test(words) || /^\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}$/.test(words)
const plain = (number: string) => number.replaceAll(',', '').replace(/\.0+$/, '')

function numbersIn(text: string): string[] {
  return [...text.matchAll(/\d[\d,]*(?:\.\d+)?/g)].map(([number]) => plain(number.replace(/,$/, '')))
}

function timesIn(text: string): string[] {
  return [...text.matchAll(TIME)].map(([, hour, minute, halfHour, half]) => {
    const h = Number(hour ?? halfHour)
    const full = half?.toLowerCase() === 'pm' && h < 12 ? h + 12 : half?.toLowerCase() === 'am' && h === 12 ? 0 : h
    return `${String(full).padStart(2, '0')}:${minute ?? '00'}`
  })
}

/** Lines of the instructions that are said again, as they are or nearly so. */
const LEAKED_WORDS = 8

function leaks(reply: string, { instructions, known }: GuardFacts): GuardHit[] {
  const words = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  const own = ` ${words(instructions).join(' ')} `
  const shown = ` ${words(known.join('\n')).join(' ')} `
  const said = words(reply)
  for (let i = 0; i + LEAKED_WORDS <= said.length; i++) {
    const run = said.slice(i, i + LEAKED_WORDS).join(' ')
    if (own.includes(` ${run} `) && !shown.includes(` ${run} `)) return [{ kind: 'prompt', words: run }]
  }
  return []
}
