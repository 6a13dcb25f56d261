import { describe, expect, test } from 'bun:test'
import { checkTwiml, parseTwiml, TwimlError } from '../../../src/sandbox/carrier/twiml.ts'

describe('parseTwiml', () => {
  test('reads a stream document', () => {
    const root = parseTwiml(
      `<?xml version="1.0" encoding="UTF-8"?>\n<Response><!-- x --><Connect action='https://a.example/e?x=1&amp;y=2'><Stream url="wss://a.example/ws"><Parameter name="token" value="&quot;&#x5d0;&#33;"/></Stream></Connect></Response>\n`,
    )
    const connect = root.children[0]
    const parameter = connect?.children[0]?.children[0]
    expect(connect?.attributes.action).toBe('https://a.example/e?x=1&y=2')
    expect(parameter?.attributes).toEqual({ name: 'token', value: '"א!' })
  })

  test.each([
    ['whitespace before the declaration', ' <?xml version="1.0"?><Response/>'],
    ['an unescaped ampersand', '<Response><Redirect>https://a.example/?a=1&b=2</Redirect></Response>'],
    ['an unescaped ampersand in an attribute', '<Response><Connect action="https://a.example/?a=1&b=2"/></Response>'],
    ['a wrong root', '<response/>'],
    ['an unclosed tag', '<Response><Say>x</Response>'],
    ['an attribute without quotes', '<Response><Pause length=1/></Response>'],
    ['a duplicate attribute', '<Response><Pause length="1" length="2"/></Response>'],
    ['something behind the root', '<Response/>x'],
    ['nothing', ''],
    ['JSON', '{"a":1}'],
  ])('refuses %s', (_, source) => {
    expect(() => parseTwiml(source)).toThrow(TwimlError)
  })
})

describe('checkTwiml', () => {
  const problemsOf = (inner: string): string[] => checkTwiml(parseTwiml(`<Response>${inner}</Response>`))

  test('accepts what is right', () => {
    expect(problemsOf('<Play>https://a.example/x.wav</Play><Record action="/x" maxLength="120"/><Hangup/>')).toEqual([])
  })

  test('names unknown verbs, wrong case and unknown attributes', () => {
    expect(problemsOf('<say>x</say>')).toEqual(['<say> is not known inside <Response>'])
    expect(problemsOf('<Record max-length="3"/>')).toEqual(['attribute max-length is not known on <Record>'])
    expect(problemsOf('<Connect><Strem url="wss://x"/></Connect>')).toEqual(['<Strem> is not known inside <Connect>'])
  })
})
