import type { z } from 'zod'
import { redactCards } from '../../lib/cards.ts'
import { cutText } from '../../lib/text.ts'
import { languageOf } from './checks.ts'
import { type PRESETS, scenario } from './schema.ts'

/** A conversation or call that was, oldest first. */
export type Past = {
  id: string
  kind: 'call' | 'conversation'
  preset: (typeof PRESETS)[number]
  language: 'he' | 'en'
  /** What must not stay: names of the people in it, in all spellings that are known. */
  names: readonly string[]
  /** Texts of the business. */
  knowledge: readonly { title: string; body: string }[]
  lines: readonly { who: 'customer' | 'agent' | 'person'; text: string | null; at: number }[]
}

const PERSON = { he: 'ישראל ישראלי', en: 'John Doe' } as const
const PHONE = '050-1234567'
const EMAIL = 'person@example.com'
const MAX_STEPS = 30
const MAX_BURST = 20
/** What follows sooner belongs to what was written before. */
const BURST_MS = 15_000

const EMAILS = /[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu
const PHONES = /(?<![\d.,:/-])\+?\(?\d(?:[ ().-]?\d){7,14}(?![\d:])/g
const ID_NUMBERS = /(?<!\d)\d{8,9}(?!\d)/g
const ADDRESSES =
  /(?<!\p{L})(ברחוב|רחוב|רח׳|שדרות|street|st\.|avenue|road)\s+[\p{L}"׳'-]+(?:\s+[\p{L}"׳'-]+){0,2}?\s+\d{1,4}/giu

/** A text without what tells who a person is: names that are known, numbers, addresses. */
export function anonymize(text: string, names: readonly string[], language: 'he' | 'en'): string {
  const [first = ''] = PERSON[language].split(' ')
  const street = language === 'he' ? 'רחוב הדוגמה 1' : 'Example street 1'
  const words = names
    .flatMap((name) => [name, ...name.split(/\s+/)])
    .filter((word) => word.length > 1)
    .toSorted((a, b) => b.length - a.length)
  const plain = redactCards(text)
    .replace(EMAILS, EMAIL)
    .replace(ADDRESSES, street)
    .replace(PHONES, PHONE)
    .replace(ID_NUMBERS, '000000000')
  return words.reduce(
    (rest, word) =>
      rest.replace(
        new RegExp(`(?<!\\p{L})([ולבמשכה]{0,3})${RegExp.escape(word)}(?!\\p{L})`, 'giu'),
        (_, prefix: string) => `${prefix}${word.includes(' ') ? PERSON[language] : first}`,
      ),
    plain,
  )
}

/** A scenario of what was said, as YAML: what the customer said is its script, what is expected is to be looked through. */
export function scenarioFromPast(past: Past): string {
  const { id, kind, preset, language, names, knowledge } = past
  const clean = (text: string) => cutText(anonymize(text, names, language), 2_000)
  const script = stepsOf(past, clean)
  const made: z.input<typeof scenario> = {
    name: `${kind}-${id
      .replace(/[^a-z0-9]/gi, '')
      .slice(-12)
      .toLowerCase()}`,
    about: `made from a ${kind} of the past; look through what is expected`,
    needs: 'model',
    channels: kind === 'call' ? ['chat', 'voice'] : ['chat', 'whatsapp'],
    given: {
      business: { preset, language },
      knowledge: knowledge.slice(0, 50).map(({ title, body }) => ({ title: clean(title), text: clean(body) })),
    },
    script,
  }
  scenario.parse(made)
  return `${Bun.YAML.stringify(made, null, 2)}\n`
}

type StepInput = z.input<typeof scenario>['script'][number]

function stepsOf({ lines }: Past, clean: (text: string) => string): StepInput[] {
  const steps: StepInput[] = []
  let burst: string[] = []
  let last = 0
  let replies: string[] = []
  const flush = () => {
    if (burst.length === 0) return
    const language = languageOf(replies.join(' '))
    steps.push({
      send: burst.slice(0, MAX_BURST),
      expect: {
        ...(replies.length > 0 ? { replies: 1 } : {}),
        ...(language ? { language } : {}),
        ...{ claims: 'backed', amounts: 'backed' },
      },
    })
    burst = []
    replies = []
  }
  for (const { who, text, at } of lines) {
    if (text === null || text.trim() === '') continue
    if (who === 'customer') {
      if (replies.length > 0 || (burst.length > 0 && at - last > BURST_MS)) flush()
      burst.push(clean(text))
      last = at
    } else if (who === 'agent') replies.push(text)
    else {
      flush()
      steps.push({ human: { from: 'console', text: clean(text) } })
    }
  }
  flush()
  return steps.slice(0, MAX_STEPS)
}
