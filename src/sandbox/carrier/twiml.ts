export type TwimlElement = {
  name: string
  attributes: Readonly<Record<string, string>>
  children: readonly TwimlElement[]
  text: string
}

/** The problem of a document, with Twilio's code: 12100 = cannot be parsed. */
export class TwimlError extends Error {
  readonly code = 12100
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const NAME = /[A-Za-z_:][\w:.-]*/y
const ATTRIBUTE = /\s+([A-Za-z_:][\w:.-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y

/**
 * Parses a TwiML document strictly: an XML declaration only at the very start, every `&` an entity, balanced tags, one root,
 * which is `<Response>`.
 * @throws TwimlError with the fault and its position
 */
export function parseTwiml(source: string): TwimlElement {
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source
  let at = 0
  const fail = (problem: string): never => {
    throw new TwimlError(`${problem} at character ${at}`)
  }
  const skipTo = (end: string): void => {
    const found = text.indexOf(end, at)
    if (found < 0) fail(`missing ${end}`)
    at = found + end.length
  }
  const skipMisc = (): void => {
    for (;;) {
      while (/\s/.test(text.charAt(at))) at += 1
      if (text.startsWith('<!--', at)) skipTo('-->')
      else if (text.startsWith('<?xml', at)) fail('XML declaration that is not at the start')
      else return
    }
  }
  const decode = (raw: string): string =>
    raw.replace(/&([^;&<\s]*)(;?)/g, (_, body: string, semicolon: string) => {
      const number = /^#(?:x([0-9a-f]+)|(\d+))$/i.exec(body)
      if (semicolon && number)
        return String.fromCodePoint(Number.parseInt(number[1] ?? number[2] ?? '0', number[1] ? 16 : 10))
      const entity = semicolon ? ENTITIES[body] : undefined
      return entity ?? fail(`"&${body}" is not an entity`)
    })
  const readElement = (depth: number): TwimlElement => {
    if (depth > 20) fail('nested too deep')
    if (text.charAt(at) !== '<') fail('expected an element')
    at += 1
    NAME.lastIndex = at
    const name = NAME.exec(text)?.[0] ?? fail('expected a name')
    at += name.length
    const attributes: Record<string, string> = {}
    for (;;) {
      ATTRIBUTE.lastIndex = at
      const found = ATTRIBUTE.exec(text)
      if (!found) break
      const [whole, key = '', double, single] = found
      if (key in attributes) fail(`attribute ${key} given twice`)
      attributes[key] = decode(double ?? single ?? '')
      at += whole.length
    }
    while (/\s/.test(text.charAt(at))) at += 1
    if (text.startsWith('/>', at)) {
      at += 2
      return { name, attributes, children: [], text: '' }
    }
    if (text.charAt(at) !== '>') fail(`malformed tag <${name}>`)
    at += 1
    const children: TwimlElement[] = []
    let inner = ''
    for (;;) {
      const next = text.indexOf('<', at)
      if (next < 0) fail(`<${name}> is never closed`)
      inner += decode(text.slice(at, next))
      at = next
      if (text.startsWith('<!--', at)) skipTo('-->')
      else if (text.startsWith('<![CDATA[', at)) {
        const start = at + 9
        skipTo(']]>')
        inner += text.slice(start, at - 3)
      } else if (text.startsWith('</', at)) {
        const close = new RegExp(`</${name.replace(/[.]/g, '\\.')}\\s*>`, 'y')
        close.lastIndex = at
        const end = close.exec(text)?.[0] ?? fail(`<${name}> is closed by another tag`)
        at += end.length
        return { name, attributes, children, text: inner }
      } else children.push(readElement(depth + 1))
    }
  }
  if (text.startsWith('<?xml')) skipTo('?>')
  skipMisc()
  const root = readElement(0)
  skipMisc()
  if (at < text.length) fail('text after the document')
  if (root.name !== 'Response') throw new TwimlError(`the root is <${root.name}>, not <Response>`)
  return root
}

const VERBS: Readonly<Record<string, { attributes: readonly string[]; children: readonly string[] }>> = {
  Connect: { attributes: ['action', 'method'], children: ['Stream'] },
  Stream: {
    attributes: ['url', 'name', 'track', 'statusCallback', 'statusCallbackMethod'],
    children: ['Parameter'],
  },
  Parameter: { attributes: ['name', 'value'], children: [] },
  Play: { attributes: ['loop', 'digits'], children: [] },
  Say: { attributes: ['voice', 'loop', 'language'], children: ['break', 'prosody', 'emphasis', 'p', 's'] },
  Pause: { attributes: ['length'], children: [] },
  Gather: {
    attributes: [
      'action',
      'method',
      'input',
      'timeout',
      'numDigits',
      'finishOnKey',
      'actionOnEmptyResult',
      'language',
      'speechTimeout',
    ],
    children: ['Say', 'Play', 'Pause'],
  },
  Record: {
    attributes: [
      'action',
      'method',
      'timeout',
      'finishOnKey',
      'maxLength',
      'playBeep',
      'trim',
      'recordingStatusCallback',
      'recordingStatusCallbackMethod',
      'recordingStatusCallbackEvent',
      'storageUrl',
      'transcribe',
      'transcribeCallback',
    ],
    children: [],
  },
  Dial: {
    attributes: [
      'action',
      'method',
      'timeout',
      'hangupOnStar',
      'timeLimit',
      'callerId',
      'record',
      'trim',
      'answerOnBridge',
      'ringTone',
      'recordingStatusCallback',
      'recordingStatusCallbackMethod',
      'recordingStatusCallbackEvent',
      'referUrl',
      'referMethod',
      'sequential',
    ],
    children: ['Number', 'Client', 'Sip', 'Conference', 'Queue'],
  },
  Number: {
    attributes: [
      'url',
      'method',
      'sendDigits',
      'statusCallback',
      'statusCallbackEvent',
      'statusCallbackMethod',
      'byoc',
      'machineDetection',
      'callReason',
    ],
    children: [],
  },
  Redirect: { attributes: ['method'], children: [] },
  Hangup: { attributes: [], children: [] },
  Reject: { attributes: ['reason'], children: [] },
}

export const SIMULATED_VERBS: ReadonlySet<string> = new Set([
  'Connect',
  'Play',
  'Say',
  'Pause',
  'Gather',
  'Record',
  'Dial',
  'Redirect',
  'Hangup',
  'Reject',
])

/** Schema problems of a document (each one a 12200 warning): unknown verbs, nouns and attributes, wrong case included. */
export function checkTwiml(root: TwimlElement): string[] {
  const problems: string[] = []
  if (root.text.trim() !== '') problems.push('text directly inside <Response>')
  const visit = (element: TwimlElement, allowed: readonly string[] | null, parent: string): void => {
    const known = VERBS[element.name]
    if (allowed === null ? !SIMULATED_VERBS.has(element.name) : !allowed.includes(element.name)) {
      problems.push(`<${element.name}> is not known inside <${parent}>`)
      return
    }
    if (!known) return
    for (const name of Object.keys(element.attributes)) {
      if (!known.attributes.includes(name)) problems.push(`attribute ${name} is not known on <${element.name}>`)
    }
    for (const child of element.children) visit(child, known.children, element.name)
  }
  for (const verb of root.children) visit(verb, null, 'Response')
  return problems
}
