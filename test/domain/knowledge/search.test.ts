import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { YAML } from 'bun'
import { z } from 'zod'
import { registerCall } from '../../../src/domain/calls/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import {
  answerGap,
  dismissGap,
  listGaps,
  pruneGaps,
  recordGap,
  searchKnowledge,
  searchWithTexts,
} from '../../../src/domain/knowledge/index.ts'
import { splitText } from '../../../src/domain/knowledge/split.ts'
import { listBusinessTexts, removeBusinessText, saveBusinessText } from '../../../src/domain/receptionist/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

const text = z.object({ title: z.string(), body: z.string() })
const set = z.array(
  z.object({ business: z.string(), texts: z.array(text), questions: z.array(z.tuple([z.string(), z.string()])) }),
)
const read = async (name: string) =>
  set.parse(YAML.parse(await Bun.file(join(import.meta.dir, `fixtures/${name}.yaml`)).text()))
const businesses = await read('questions')

/** Questions that no text of any of the businesses answers. */
const OFF_TOPIC = [
  'מה מזג האוויר מחר?',
  'מי ראש הממשלה?',
  'תספר לי בדיחה',
  'איך מכינים שקשוקה?',
  'מה בירת צרפת?',
  'כמה זה שבע כפול שמונה?',
  'מי ניצח במשחק אתמול?',
  'תכתוב לי שיר על הים',
  'what is the weather tomorrow',
  'who won the match yesterday',
  'tell me a joke',
  'how do I bake bread',
  'what is the capital of France',
  'write a poem about the sea',
  'do you like jazz music',
  'what is the meaning of life',
]

let domain: TestDomain
let ctx: BusinessContext

beforeAll(async () => {
  domain = await openDomain()
  ctx = await domain.newBusiness()
})
afterAll(() => domain.close())

test('an answer is sure for most questions that have one, and for few that have none', async () => {
  let [right, sure, sureOfNothing, asked, wrong] = [0, 0, 0, 0, 0]
  for (const { texts, questions } of businesses) {
    for (const [question, title] of questions) {
      const { hits, sure: isSure } = await searchWithTexts(ctx, texts, { query: question, limit: 3 })
      asked += 1
      right += Number(hits.some((hit) => hit.title === title))
      sure += Number(isSure)
      wrong += Number(isSure && hits[0]?.title !== title)
    }
    for (const question of OFF_TOPIC)
      sureOfNothing += Number((await searchWithTexts(ctx, texts, { query: question })).sure)
  }
  const stats = {
    right: right / asked,
    sure: sure / asked,
    wrong: wrong / asked,
    nothing: sureOfNothing / (OFF_TOPIC.length * businesses.length),
  }
  expect({
    ...stats,
    enough: stats.right >= 0.95 && stats.sure >= 0.5 && stats.wrong <= 0.05 && stats.nothing <= 0.02,
  }).toEqual({
    ...stats,
    enough: true,
  })
})

test('of very indirect questions few are found by their words; titles lead a model to the others', async () => {
  const found = { asked: 0, first: 0, three: 0, led: 0, misled: 0 }
  for (const { business, questions } of await read('indirect')) {
    const texts = businesses.find((each) => each.business === business)?.texts ?? []
    for (const [question, title] of questions) {
      const { hits, sure, titles } = await searchWithTexts(ctx, texts, { query: question, limit: 3 })
      const isFound = hits.some((hit) => hit.title === title)
      found.asked += 1
      found.first += Number(hits[0]?.title === title)
      found.three += Number(isFound)
      found.led += Number(isFound || titles.includes(title))
      found.misled += Number(sure && !isFound)
      // Asked again by its title, it is found.
      expect((await searchWithTexts(ctx, texts, { query: title, limit: 3 })).hits[0]?.title).toBe(title)
    }
  }
  expect({ ...found, enough: found.three >= 16 && found.led >= 38 && found.misled <= 2 }).toEqual({
    ...found,
    enough: true,
  })
})

test('what is found is what the texts say now, and of this business alone', async () => {
  const other = await domain.newBusiness()
  await saveBusinessText(ctx, { title: 'כתובת', body: 'הרצל 10, חיפה. חניה בחצר.' })
  await saveBusinessText(ctx, { title: 'Opening hours', body: 'Sunday to Thursday, nine to five.' })
  const first = await searchKnowledge(ctx, { query: 'when are you opening' })
  expect(first).toMatchObject({
    sure: true,
    hits: [{ text: 'Sunday to Thursday, nine to five.', source: { kind: 'text' } }],
  })
  await saveBusinessText(ctx, { title: 'Opening hours', body: 'Sunday to Thursday, nine to six.' })
  expect((await searchKnowledge(ctx, { query: 'when are you opening' })).hits[0]?.text).toContain('six')
  expect((await searchKnowledge(ctx, { query: 'איפה החניה?' })).hits[0]?.title).toBe('כתובת')
  const id = await saveBusinessText(ctx, { title: 'Helicopters', body: 'We land on the roof.' })
  expect((await searchKnowledge(ctx, { query: 'helicopters' })).sure).toBe(true)
  await removeBusinessText(ctx, id)
  expect(await searchKnowledge(ctx, { query: 'helicopters' })).toEqual({
    hits: [],
    sure: false,
    unknown: true,
    titles: expect.arrayContaining(['כתובת', 'Opening hours']),
  })
  expect(await searchKnowledge(other, { query: 'when are you opening' })).toEqual({
    hits: [],
    sure: false,
    unknown: true,
    titles: [],
  })
})

describe('parts of a long text', () => {
  test('hold all of its words, none is longer than allowed, each stands under its heading', () => {
    const sentence = (at: number) => `Sentence number${at} says something about topic${at} of ours.`
    const long = Array.from({ length: 60 }, (_, at) => sentence(at)).join(' ')
    const source = `# Prices\n\nA visit is 250.\n\n## Night\n${long}\n\n${'x'.repeat(2_000)}\n\n# Empty\n`
    const parts = splitText('List', source, 400)
    for (const { body } of parts) expect(body.length).toBeLessThanOrEqual(400)
    const words = (of: string) =>
      of
        .replace(/^#+ .*$/gm, '')
        .split(/\s+/)
        .filter(Boolean)
        .join('')
    expect(words(parts.map(({ body }) => body).join(' '))).toBe(words(source))
    expect(parts[0]).toEqual({ title: 'List · Prices', body: 'A visit is 250.' })
    expect(new Set(parts.slice(1).map(({ title }) => title))).toEqual(new Set(['List · Night']))
    expect(splitText('List', ' \n\n')).toEqual([])
  })
})

describe('questions without an answer', () => {
  const newCall = async () => {
    const callSid = `CA${newId()}`
    await registerCall(ctx, { callSid, from: '+972501234567', to: '+97233330000', at: new Date() })
    return callSid
  }
  const ask = async (question: string, callSid?: string) =>
    recordGap(ctx, { question, channel: 'call', callSid: callSid ?? (await newCall()) })
  const open = async () => (await listGaps(ctx, {})).map(({ question, count }) => ({ question, count }))

  test('are one by their stems, counted once a call, without numbers; an answer becomes a text at once', async () => {
    const callSid = await newCall()
    await ask('Do you repair helicopters?', callSid)
    await ask('Do you repair a helicopter?', callSid)
    await ask('do you repair helicopters')
    await ask('יש אצלכם צהרון? הטלפון שלי 050-123-4567')
    await ask('???')
    await recordGap(ctx, { question: 'Of a call that is gone?', channel: 'call', callSid: 'CAgone' })
    expect(await open()).toEqual([
      { question: 'do you repair helicopters', count: 2 },
      { question: expect.stringMatching(/^יש אצלכם צהרון\? הטלפון שלי \D*4567$/), count: 1 },
    ])
    const [gap] = await listGaps(ctx, {})
    await saveBusinessText(ctx, { title: 'Helicopters', body: 'Are loud.' })
    for (const answer of ['Only planes.', 'No, only drones.'])
      await answerGap(ctx, gap?.id ?? '', { answer, title: 'Helicopters' })
    const texts = (await listBusinessTexts(ctx)).filter(({ title }) => /helicopters/i.test(title))
    // No other text is replaced; what it was answered with before is.
    expect(texts.map(({ title, body }) => [title, body])).toEqual([
      ['Helicopters', 'Are loud.'],
      ['do you repair helicopters', 'No, only drones.'],
    ])
    expect((await searchKnowledge(ctx, { query: 'do you repair helicopters' })).hits[0]?.text).toBe('No, only drones.')
    expect(await listGaps(ctx, { state: 'answered' })).toMatchObject([
      { answer: 'do you repair helicopters', count: 2 },
    ])
    const [rest] = await listGaps(ctx, {})
    await dismissGap(ctx, rest?.id ?? '')
    expect(await open()).toEqual([])
    const other = await domain.newBusiness()
    for (const work of [() => answerGap(other, gap?.id ?? '', { answer: 'x' }), () => dismissGap(other, newId())])
      await expect(work()).rejects.toMatchObject({ code: 'gap_not_found' })
  })

  test('go with the call they were asked in, and by age', async () => {
    await ask('Can I bring my parrot?')
    const [gap] = await listGaps(ctx, {})
    expect(gap?.question).toBe('Can I bring my parrot?')
    expect(await pruneGaps(domain.ctx)).toBe(0)
    expect(await pruneGaps(domain.ctx, new Date(Date.now() + 400 * 86_400_000))).toBeGreaterThan(0)
    expect(await open()).toEqual([])
  })
})
