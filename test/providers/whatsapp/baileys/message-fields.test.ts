import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { proto } from '@whiskeysockets/baileys'
import { JID_SERVERS } from '../../../../src/providers/whatsapp/baileys/jids.ts'
import { MESSAGE_FIELDS } from '../../../../src/providers/whatsapp/baileys/message-content/fields.ts'
import { fieldNumbers } from '../../../../src/providers/whatsapp/baileys/message-content/protobuf.ts'
import { PROTOCOL_TYPES } from '../../../../src/providers/whatsapp/baileys/message-content/protocol.ts'
import { readMessage } from '../../../../src/providers/whatsapp/baileys/message-content/read.ts'
import { definition, type Field, messageFields, resolve } from '../../../support/whatsapp-definition.ts'

/** Every text of a message, as the path to it. */
function textsOf(message: string, path: Field[] = []): Field[][] {
  if (path.length > 6) return []
  return (definition.get(message) ?? []).flatMap((field) => {
    const step = [...path, field]
    if (field.type === 'string') return [step]
    const inner = resolve(field.type, message)
    // Messages within messages are read as messages; contexts are read in a test of their own.
    return inner && inner !== 'Message' && !/context|key$/i.test(field.name) ? textsOf(inner, step) : []
  })
}

function holding(path: readonly Field[], text: string): unknown {
  const [field, ...rest] = path
  if (!field) return text
  const value = holding(rest, text)
  return { [field.name]: field.repeated ? [value] : value }
}

/** Fields in Baileys' compiled code, by reflection on its class. */
function reflected(): string[] {
  const { prototype } = proto.Message
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => !name.startsWith('_') && name !== 'constructor' && typeof value !== 'function')
    .map(([name]) => name)
}

test('every field of Message is decided, and none that is not there', () => {
  const names = Object.keys(MESSAGE_FIELDS).toSorted()
  expect(names).toEqual(reflected().toSorted())
  expect(names).toEqual(messageFields.map(({ name }) => name).toSorted())
  expect(names.length).toBeGreaterThanOrEqual(95)
})

test('fields have the numbers of the definition', () => {
  const defined = messageFields.map(({ name, number }): [number, string] => [number, name])
  expect(
    [...fieldNumbers()].map(([number, name]): [number, string] => [number, name]).toSorted(([a], [b]) => a - b),
  ).toEqual(defined.toSorted(([a], [b]) => a - b))
})

test('every type of ProtocolMessage is decided', () => {
  const names = Object.entries(proto.Message.ProtocolMessage.Type).flatMap(([name, value]) =>
    typeof value === 'number' ? [name] : [],
  )
  expect(Object.keys(PROTOCOL_TYPES).toSorted()).toEqual(names.toSorted())
  expect(names.length).toBeGreaterThanOrEqual(26)
})

test('whatever holds a message inside is a wrapper, and its message is read', () => {
  const wrappers = messageFields.filter(
    ({ type }) => type === 'FutureProofMessage' || type === 'Message.FutureProofMessage',
  )
  expect(wrappers.length).toBeGreaterThan(20)
  for (const name of [...wrappers.map((field) => field.name), 'deviceSentMessage', 'commentMessage'])
    expect([name, readMessage({ [name]: { message: { conversation: 'inside' } } }).content]).toEqual([
      name,
      { kind: 'text', text: 'inside' },
    ])
})

test('an empty value of any field neither throws nor is lost, unless the field is noise', () => {
  for (const [name, decision] of Object.entries(MESSAGE_FIELDS)) {
    const { content, sealed } = readMessage({ [name]: name === 'conversation' ? '' : {} })
    const saysNothing = ['conversation', 'protocolMessage', 'reactionMessage'].includes(name)
    expect([name, content !== null || sealed !== null]).toEqual([name, decision.is !== 'noise' && !saysNothing])
  }
})

/** WhatsApp's names for readable fields. */
const READABLE =
  /^(text|caption|title|subtitle|body|name|description|contentText|footerText|buttonText|displayText|note|comment|address|optionName|displayName|publisher|packDescription|organization|joinLink|groupName|newsletterName|orderTitle|message|messageText|hydrated\w*Text|selectedDisplayText|codeContent|params|default)$/
/** Readable by their names, but meant for machines or shown elsewhere. */
const NOT_WORDS = [
  // Beside the text of a link: the linked page's own description, shown when the text is missing.
  /^extendedTextMessage\.(linkPreviewMetadata|endCardTiles|musicMetadata|paymentLinkMetadata)\./,
  /\.(annotations|interactiveAnnotations|musicMetadata|urlTrackingMap)\./,
  // One of the options.
  /correctAnswer/,
  /nativeFlowInfo\.name$|nativeFlowResponseMessage\.name$/,
]

test('every text for readers in every content field is kept, however deep the definition puts it', () => {
  const lost: string[] = []
  let checked = 0
  for (const { name } of messageFields.filter(({ type }) => type !== 'string')) {
    const decision = new Map(Object.entries(MESSAGE_FIELDS)).get(name)
    const field = messageFields.find((one) => one.name === name)
    const type = field && resolve(field.type, 'Message')
    if (decision?.is !== 'content' || !type || !field || name === 'protocolMessage') continue
    for (const path of textsOf(type, [field])) {
      const where = path.map((step) => step.name).join('.')
      if (!READABLE.test(path.at(-1)?.name ?? '') || NOT_WORDS.some((pattern) => pattern.test(where))) continue
      checked += 1
      const message = Object(holding(path, 'a word'))
      const inside = Object(message[name])
      const read = readMessage({ [name]: { key: { id: 'X' }, ...inside } })
      if (!JSON.stringify([read.content, read.extras]).includes('a word')) lost.push(where)
    }
  }
  expect(lost).toEqual([])
  expect(checked).toBeGreaterThan(100)
})

test('every server of an address is decided', () => {
  const types = readFileSync(
    Bun.resolveSync('@whiskeysockets/baileys/lib/WABinary/jid-utils.d.ts', import.meta.dir),
    'utf8',
  )
  const servers = [...(/type JidServer = ([^;]+);/.exec(types)?.[1] ?? '').matchAll(/'([^']+)'/g)].map(
    ([, name]) => name,
  )
  expect(Object.keys(JID_SERVERS).toSorted()).toEqual(servers.map(String).toSorted())
})
