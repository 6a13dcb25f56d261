import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { YAML } from 'bun'
import { z } from 'zod'
import { scoreTexts } from '../../../src/domain/knowledge/index.ts'
import { SearchIndex } from '../../../src/domain/knowledge/search-index.ts'
import { isAlike, normal, tokensOf, wordsOfQuestion } from '../../../src/domain/knowledge/search-words.ts'

const text = z.object({ title: z.string(), body: z.string() })
const set = z.array(
  z.object({ business: z.string(), texts: z.array(text), questions: z.array(z.tuple([z.string(), z.string()])) }),
)
const read = async (name: string) =>
  set.parse(YAML.parse(await Bun.file(join(import.meta.dir, `fixtures/${name}.yaml`)).text()))
const businesses = [...(await read('questions')), ...(await read('strangers'))]
const keptOut = await read('keep-out')
const rankTexts = <T extends z.output<typeof text>>(texts: readonly T[], question: string) =>
  scoreTexts(texts, question).map((found) => found.text)

/** The share of questions whose text is among the first three, and those that miss it. */
async function recall(of: z.output<typeof set>, inOneBusiness = false) {
  const everything = of.flatMap(({ texts }) => texts)
  const all = await SearchIndex.of(everything)
  const missed: string[] = []
  let count = 0
  for (const { texts, questions } of of) {
    const index = inOneBusiness ? all : await SearchIndex.of(texts)
    for (const [question, title] of questions) {
      count += 1
      const right = texts.find((each) => each.title === title)
      if (!index.search(question, 3).some((found) => found.text === right)) missed.push(question)
    }
  }
  return { count, share: 1 - missed.length / count, missed }
}

test('every question names a text of its business', () => {
  for (const { texts, questions } of [...businesses, ...keptOut])
    for (const [, title] of questions) expect(texts.map((each) => each.title)).toContain(title)
})

test('of at least 150 questions 95 % find their text among the first three', async () => {
  const { count, share, missed } = await recall(businesses)
  expect(count).toBeGreaterThanOrEqual(150)
  expect({ enough: share >= 0.95, missed }).toEqual({ enough: true, missed })
})

test('so do 90 % of the questions that nothing was made with', async () => {
  const { count, share, missed } = await recall(keptOut)
  expect(count).toBe(50)
  expect({ enough: share >= 0.9, missed }).toEqual({ enough: true, missed })
})

test('and 95 % when one business has the texts of seven', async () => {
  const { share, missed } = await recall(await read('questions'), true)
  expect({ enough: share >= 0.95, missed }).toEqual({ enough: true, missed })
})

test.each([
  ['prefixes', 'ולשיננית', 'שיננית'],
  ['the article', 'הדירה', 'דירה'],
  ['plural', 'דירות', 'דירה'],
  ['construct', 'דירת', 'דירה'],
  ['owner', 'דירותיהם', 'דירות'],
  ['vowels written or not', 'צהריים', 'צהרים'],
  ['points', 'שָׁלוֹם', 'שלום'],
  ['abbreviations', 'דו״ח', 'דוח'],
  ['final letters', 'חלונות', 'חלון'],
  ['numbers', '2,900', '2900'],
  ['English plural', 'drains', 'drain'],
  ['meaning', 'לרכוש', 'קנייה'],
  ['meaning across languages', 'cost', 'מחיר'],
  ['another form of the verb', 'מתגרשת', 'התגרש'],
  ['letters that sound alike', 'קראטין', 'קרטין'],
  ['words that count together', 'נקודות חן', 'שומות'],
  ['a typing error', 'אינסטלצייה', 'אינסטלציה'],
  ['a letter that is missing', 'apointment', 'appointment'],
])('%s do not keep a word from being found', (_, asked, written) => {
  const right = { title: 'one', body: `foo ${written} bar` }
  const others = ['חתול שחור', 'black cat', 'מאה ועשר'].map((body) => ({ title: 'other', body }))
  expect(rankTexts([...others, right], asked)[0]).toBe(right)
})

test('what no text has words of is answered by none, and odd questions do no harm', () => {
  const texts = businesses.flatMap((each) => each.texts)
  for (const question of ['', ' ', '???', '\u0000', '😀', 'קסדלפגחי', 'x'.repeat(10_000)])
    expect(rankTexts(texts, question)).toEqual([])
  expect(rankTexts([], 'מחיר')).toEqual([])
  expect(wordsOfQuestion('מה זה')).toEqual(['מה', 'זה'])
  expect(normal('ד״ר כהן, wi-fi ב-1,200 ש״ח')).toEqual(['דר', 'כהנ', 'wifi', 'ב', '1200', 'שח'])
  expect(tokensOf('1200').size).toBe(1)
})

test('a typing error is one letter more, less, other, or two that changed places', () => {
  for (const [a, b] of [
    ['garage', 'garrage'],
    ['garage', 'garag'],
    ['garage', 'garega'],
    ['garage', 'gaarge'],
  ] as const)
    expect([a, b, isAlike(a, b) && isAlike(b, a)]).toEqual([a, b, b !== 'garega'])
  expect(isAlike('', 'ab')).toBe(false)
})
