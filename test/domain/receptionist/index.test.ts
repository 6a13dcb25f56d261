import { expect, test } from 'bun:test'
import { intakeScript, notInServiceText, voicemailPrompt } from '../../../src/domain/receptionist/index.ts'
import { toRuns } from '../../../src/providers/speech/espeak/utterance.ts'

const LANGUAGES = ['he', 'en'] as const

test.each(LANGUAGES)('the script (%s) asks for name, inquiry and time, the first within the greeting', (language) => {
  const script = intakeScript({ language, businessName: 'Acme' })
  expect(script.language).toBe(language)
  expect(script.questions.map((question) => question.key)).toEqual(['name', 'inquiry', 'callback_time'])
  expect(script.greeting).toContain('Acme')
  expect(script.greeting).toEndWith(script.questions[0]?.prompt ?? '-')
  for (const question of script.questions) {
    expect(question.prompt).toEndWith('?')
    expect(question.endOfTurnMs).toBeGreaterThanOrEqual(600)
    expect(question.endOfTurnMs).toBeLessThanOrEqual(1500)
  }
})

test("a business's own greeting is kept, and asks", () => {
  const own = intakeScript({ language: 'en', businessName: 'Acme', greeting: '  Acme here, hello. ' })
  expect(own.greeting).toBe('Acme here, hello. What is your name, please?')
  const asking = intakeScript({ language: 'en', businessName: 'Acme', greeting: 'Acme here, who is speaking?' })
  expect(asking.greeting).toBe('Acme here, who is speaking?')
  expect(intakeScript({ language: 'en', businessName: 'Acme', greeting: '  ' }).greeting).toContain(
    'you have reached Acme',
  )
})

test('every Hebrew word is pointed and read by rule, with one stress', () => {
  const script = intakeScript({ language: 'he', businessName: 'Acme' })
  const texts = [
    script.greeting,
    ...script.questions.map((question) => question.prompt),
    script.reprompt,
    script.thanks,
    script.goodbye,
    script.oneMoment,
    voicemailPrompt({ language: 'he', businessName: 'Acme' }),
    notInServiceText('he'),
  ]
  for (const text of texts) {
    for (const word of text.normalize('NFD').match(/[א-ת\u0591-\u05C7]+/g) ?? [])
      expect(word).toMatch(/[\u05B0-\u05C2\u05C7]/)
    for (const run of toRuns(text, 'he').filter((one) => one.voice === 'he'))
      for (const word of run.input.match(/[a-zA-Z?'*]+/g) ?? [])
        expect(word.match(/'/g)?.length ?? 0).toBe(word === '?' ? 0 : 1)
  }
  expect(toRuns(script.questions[2]?.prompt ?? '', 'he')[0]?.input).toBe("[[mat'aj n'oaX laX'em SenaXaz'oR ?aleX'em]]?")
  expect(toRuns(script.oneMoment, 'he')[0]?.input).toBe("[[R'ak R'ega]], [[bevakaS'a]].")
})

test.each(LANGUAGES)('the other sentences (%s) stand', (language) => {
  expect(voicemailPrompt({ language, businessName: ' Acme ' })).toContain('Acme')
  expect(notInServiceText(language).length).toBeGreaterThan(10)
})
