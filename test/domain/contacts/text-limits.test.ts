import { expect, test } from 'bun:test'
import { newContact, noteBody } from '../../../src/domain/contacts/index.ts'
import { newLead } from '../../../src/domain/leads/index.ts'
import { requiredText } from '../../../src/lib/text.ts'

const EMOJI = '🙂'

test('every text limit of a contact and a lead counts code points, so that an emoji is one character', () => {
  const fits: [string, number, (text: string) => { success: boolean }][] = [
    ['name', 200, (name) => newContact.safeParse({ name })],
    ['tag', 64, (tag) => newContact.safeParse({ tags: [tag] })],
    ['name of an own field', 64, (field) => newContact.safeParse({ custom: { [field]: 'x' } })],
    ['own field', 2_000, (text) => newContact.safeParse({ custom: { text } })],
    ['note', 10_000, (text) => noteBody.safeParse(text)],
    ['lead name', 200, (name) => newLead.safeParse({ name })],
    ['inquiry', 4_000, (inquiry) => newLead.safeParse({ inquiry })],
  ]
  for (const [what, max, parse] of fits) {
    expect([what, parse(EMOJI.repeat(max)).success]).toEqual([what, true])
    expect([what, parse(EMOJI.repeat(max + 1)).success]).toEqual([what, false])
  }
})

test('a required text is trimmed before it is counted, and not empty', () => {
  expect(requiredText(3).parse('  abc  ')).toBe('abc')
  expect(requiredText(3).safeParse('   ').success).toBe(false)
})
