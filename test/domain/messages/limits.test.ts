import { describe, expect, test } from 'bun:test'
import {
  type FileToSend,
  planParts,
  SEND_LIMITS,
  splitText,
  TEMPLATE_LIMITS,
} from '../../../src/domain/messages/limits.ts'
import { AppError } from '../../../src/lib/errors.ts'

type Provider = keyof typeof SEND_LIMITS
const PROVIDERS = Object.keys(SEND_LIMITS) as Provider[]

const words = (length: number) => `${'word '.repeat(Math.ceil(length / 5)).slice(0, length - 1)}x`
const codeOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    if (error instanceof AppError) return [error.code, error.field]
    throw error
  }
  return 'taken'
}
const template = (variables: Record<string, string>) => ({ contentSid: `HX${'0'.repeat(32)}`, variables })

/** Every limit of every provider: what is just taken, and what becomes of one more. A limit without an entry is a type error. */
const EDGES: {
  [Limit in keyof (typeof SEND_LIMITS)['twilio']]: (provider: Provider, limit: (typeof SEND_LIMITS)[Provider]) => void
} = {
  text: (provider, { text }) => {
    const one = words(text)
    expect(planParts(provider, { text: one }, 'split')).toEqual([{ text: one, media: null, template: null }])
    expect(planParts(provider, { text: one }, 'refuse')).toHaveLength(1)
    const longer = words(text + 1)
    const parts = planParts(provider, { text: longer }, 'split')
    expect(parts).toHaveLength(2)
    expect(parts.every((part) => part.text.length <= text)).toBe(true)
    expect(parts.map((part) => part.text).join(' ')).toBe(longer)
    expect(codeOf(() => planParts(provider, { text: longer }, 'refuse'))).toEqual(['text_too_long', 'text'])
  },
  caption: (provider, { caption, text }) => {
    const media = [{ url: 'https://x/a.jpg', contentType: 'image/jpeg' }]
    const just = words(caption)
    expect(planParts(provider, { text: just, media }, 'split')).toEqual([{ text: just, media, template: null }])
    const longer = words(caption + 1)
    expect(planParts(provider, { text: longer, media }, 'split').map((part) => part.text)).toEqual(['', longer])
    const longest = planParts(provider, { text: words(text + 1), media }, 'split')
    expect(longest.map((part) => part.media !== null)).toEqual([true, false, false])
  },
  captioned: (provider, { captioned }) => {
    const files = {
      image: { url: 'https://x/1', contentType: 'image/jpeg' },
      video: { url: 'https://x/1', contentType: 'video/mp4' },
      audio: { url: 'https://x/1', contentType: 'audio/mpeg' },
      voice: { url: 'https://x/1', contentType: 'audio/ogg', voice: true },
      document: { url: 'https://x/1', contentType: 'application/pdf' },
    } satisfies Record<string, FileToSend>
    for (const [kind, file] of Object.entries(files)) {
      const parts = planParts(provider, { text: 'words', media: [file] }, 'split')
      const together = captioned.some((each) => each === kind)
      expect([kind, parts.map((part) => part.text)]).toEqual([kind, together ? ['words'] : ['', 'words']])
    }
  },
  files: (provider, { files }) => {
    const media = (count: number) => Array.from({ length: count }, (_, n) => ({ url: `https://x/${n}.jpg` }))
    expect(planParts(provider, { text: 'a', media: media(files) }, 'split')).toHaveLength(1)
    const parts = planParts(provider, { text: 'a', media: media(files + 1) }, 'split')
    expect(parts.map((part) => [part.text, part.media?.[0]?.url])).toEqual([
      ['a', 'https://x/0.jpg'],
      ['', 'https://x/1.jpg'],
    ])
    expect(planParts(provider, { text: '', media: media(10) }, 'refuse')).toHaveLength(10)
  },
  bytes: (provider, { bytes }) => {
    const sized = (size: number | null) =>
      codeOf(() =>
        planParts(provider, { text: '', media: [{ url: 'https://x/a.jpg' }] }, 'split', [
          { missing: false, contentType: 'image/jpeg', bytes: size },
        ]),
      )
    expect([sized(null), sized(bytes), sized(bytes + 1)]).toEqual([
      'taken',
      'taken',
      ['media_too_large', 'media.0.url'],
    ])
  },
  types: (provider, { types }) => {
    const send = (contentType: string) =>
      codeOf(() => planParts(provider, { text: '', media: [{ url: 'https://x/1', contentType }] }, 'split'))
    for (const type of [
      'image/jpeg',
      'image/png',
      'video/mp4',
      'audio/ogg; codecs=opus',
      'application/pdf',
      'text/vcard',
    ])
      expect([type, send(type)]).toEqual([type, 'taken'])
    for (const type of ['image/svg+xml', 'image/gif', 'video/webm', 'audio/flac', 'application/zip', 'text/html'])
      expect([type, send(type)]).toEqual([type, types ? ['media_type_not_supported', 'media.0.contentType'] : 'taken'])
    // What the request does not say, only the provider can find out.
    expect(codeOf(() => planParts(provider, { text: '', media: [{ url: 'https://x/1' }] }, 'split'))).toBe('taken')
  },
  templates: (provider, { templates }) => {
    const send = (variables: Record<string, string>) =>
      codeOf(() => planParts(provider, { text: '', template: template(variables) }, 'split'))
    if (!templates) {
      expect(send({})).toEqual(['template_not_supported', 'template'])
      return
    }
    const { variables, value, blanks } = TEMPLATE_LIMITS
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`${n + 1}`, 'x']))
    expect(send(many(variables))).toBe('taken')
    expect(send(many(variables + 1))).toEqual(['invalid_template_variable', 'template.variables.'])
    expect(send({ 1: 'x'.repeat(value) })).toBe('taken')
    for (const wrong of ['', '  ', 'x'.repeat(value + 1), 'a\nb', 'a\tb', 'a\r\nb', `a${' '.repeat(blanks + 1)}b`])
      expect(send({ 1: wrong })).toEqual(['invalid_template_variable', 'template.variables.1'])
    expect(send({ 1: `a${' '.repeat(blanks)}b` })).toBe('taken')
    expect(codeOf(() => planParts(provider, { text: 'x', template: template({}) }, 'split'))).toEqual([
      'template_with_content',
      'text',
    ])
    expect(
      codeOf(() => planParts(provider, { text: '', media: [{ url: 'https://x/1' }], template: template({}) }, 'split')),
    ).toEqual(['template_with_content', 'media'])
  },
}

describe.each(PROVIDERS)('the limits of %s', (provider) => {
  test.each(Object.entries(EDGES))('%s: the most is taken, one more is decided', (_, check) => {
    check(provider, SEND_LIMITS[provider])
  })
})

describe('splitting', () => {
  const whole = (parts: string[]) => parts.join('').replace(/\s/g, '')
  test.each([
    ['words', 'lorem ipsum dolor '.repeat(300)],
    ['Hebrew with points', 'שָׁלוֹם עוֹלָם. '.repeat(400)],
    ['lines', Array.from({ length: 200 }, (_, n) => `${n}. line of a list`).join('\n')],
    ['paragraphs', Array.from({ length: 40 }, () => 'A paragraph. '.repeat(12)).join('\n\n')],
    ['no blank at all', 'x'.repeat(5_000)],
    ['emoji alone', '👩‍👩‍👧‍👦'.repeat(600)],
    ['flags', '🇮🇱🇺🇸'.repeat(900)],
    ['an address longer than a part', `see https://example.com/${'y'.repeat(2_000)} now`],
    ['one character of ten thousand marks', `a${'\u0301'.repeat(10_000)}`],
    ['surrogates at the edge', `${'x'.repeat(1_599)}💥${'y'.repeat(1_599)}💥`],
    ['blank lines', '\n'.repeat(3_000)],
  ])('%s: nothing is lost, no part is too long, no character is halved', (_, text) => {
    for (const max of [1_600, 997, 64]) {
      const parts = splitText(text, max)
      expect(whole(parts)).toBe(text.replace(/\s/g, ''))
      expect(parts.every((part) => part.length <= max && part.trim() !== '' && part.isWellFormed())).toBe(true)
    }
  })

  test('what fits stays as it is, blanks and all', () => {
    expect(splitText('  a \n b  ', 1_600)).toEqual(['  a \n b  '])
  })

  test('a place between paragraphs is better than one between words, when it is late enough', () => {
    const text = `${'a '.repeat(500)}\n\n${'b '.repeat(500)}`
    expect(splitText(text, 1_600).map((part) => part[0])).toEqual(['a', 'b'])
    expect(splitText(`a\n\n${'b '.repeat(1_000)}`, 1_600)[0]?.length).toBeGreaterThan(1_500)
  })
})
