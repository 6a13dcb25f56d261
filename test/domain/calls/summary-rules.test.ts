import { expect, test } from 'bun:test'
import { summaryByRules } from '../../../src/domain/calls/index.ts'

const nothing = { name: null, inquiry: null, callbackTime: null, endReason: 'completed' }
const caller = (text: string | null, audioKey: string | null = null) =>
  ({ role: 'caller', text, question: null, audioKey }) as const
const agent = (text: string) => ({ role: 'agent', text, question: null, audioKey: null }) as const

test('a Hebrew call is summed up in Hebrew, with what was said of place and money', () => {
  const summary = summaryByRules({
    ...nothing,
    language: 'he',
    name: 'דנה',
    inquiry: 'דירת שלושה חדרים',
    turns: [
      agent('באיזה אזור, תל אביב?'),
      caller('אני מחפשת ברמת השרון או בחיפה'),
      caller('חשבתי על 4,000 שקל, אולי עד 5,500 ש״ח. תודה רבה!'),
    ],
  })
  expect(summary.summary).toBe('שיחה מאת דנה. הבקשה: דירת שלושה חדרים. אזור: רמת השרון. תקציב: 5,500 ש״ח.')
  expect(summary.fields).toEqual({
    name: 'דנה',
    inquiry: 'דירת שלושה חדרים',
    area: 'רמת השרון',
    budget: '5,500 ש״ח',
  })
  expect(summary).toMatchObject({ sentiment: 'positive', nextStep: 'לחזור אל הלקוח.', madeBy: 'rules' })
})

test.each([
  ['דירה בגליל', 'הגליל'],
  ['משרד לתל אביב', 'תל אביב'],
  ['ומחיפה', 'חיפה'],
  ['a flat in tel-aviv please', 'Tel Aviv'],
  ['שכולם יבואו', undefined],
  ['לודמילה', undefined],
])('the place in “%s” is %p', (text, area) => {
  expect(summaryByRules({ ...nothing, language: 'he', turns: [caller(text)] }).fields.area).toBe(area)
})

test.each([
  ['up to 2 million shekels', '2 million shekels'],
  ['₪ 900 a month', '₪ 900'],
  ['800 אלף שקל', '800 אלף שקל'],
  ['call me at 5', undefined],
  ['052-1234567', undefined],
])('the money in “%s” is %p', (text, budget) => {
  expect(summaryByRules({ ...nothing, language: 'en', turns: [caller(text)] }).fields.budget).toBe(budget)
})

test('answers kept as audio are for a person to hear; silence and a transfer ask for nothing', () => {
  const kept = summaryByRules({ ...nothing, language: 'en', turns: [caller(null, 'a.wav'), caller(null, 'b.wav')] })
  expect(kept).toMatchObject({
    summary: 'An unknown caller called. 2 answers are kept as audio.',
    sentiment: null,
    nextStep: 'Listen to the answers and call back.',
  })
  expect(summaryByRules({ ...nothing, language: 'he', turns: [agent('שלום')] })).toMatchObject({
    summary: 'התקבלה שיחה. הצד השני לא אמר דבר.',
    nextStep: null,
  })
  const angry = { ...nothing, endReason: 'transferred', turns: [caller('This is terrible, I want to complain')] }
  expect(summaryByRules({ ...angry, language: 'en' })).toMatchObject({ sentiment: 'negative', nextStep: null })
})
