import { readFileSync } from 'node:fs'

export type Field = { name: string; number: number; type: string; repeated: boolean }
type Definition = Map<string, Field[]>

/** Baileys' protobuf definition: the fields of every message by its full name. */
function readDefinition(): Definition {
  const text = readFileSync(Bun.resolveSync('@whiskeysockets/baileys/WAProto/WAProto.proto', import.meta.dir), 'utf8')
  const messages: Definition = new Map()
  const path: string[] = []
  for (const line of text.split('\n')) {
    const opened = /^\s*(message|enum|oneof) (\w+) \{/.exec(line)
    // Members of a `oneof` are fields of the message around it.
    if (opened) path.push(opened[1] === 'message' ? (opened[2] ?? '') : '')
    const name = path.filter(Boolean).join('.')
    if (opened?.[1] === 'message') messages.set(name, [])
    const field = /^\s*(optional |repeated |required )?([\w.]+) (\w+) = (\d+)( \[|;)/.exec(line)
    if (field?.[2] && field[3])
      messages
        .get(name)
        ?.push({ name: field[3], type: field[2], number: Number(field[4]), repeated: field[1] === 'repeated ' })
    if (/\}/.test(line)) path.pop()
  }
  return messages
}
export const definition = readDefinition()
export const messageFields = definition.get('Message') ?? []

/** The message that a type names within a scope, as protobuf looks it up: from the innermost scope outwards. */
export function resolve(type: string, scope: string): string | null {
  const scopes = scope.split('.')
  for (let length = scopes.length; length >= 0; length--) {
    const name = [...scopes.slice(0, length), type].join('.')
    if (definition.has(name)) return name
  }
  return null
}

/** Texts that break careless programs. */
const TEXTS = [
  '',
  'ok',
  'a\0b',
  '\ud83d',
  '\udc00x',
  '👩‍👩‍👧',
  'שלום \u202e',
  '{"id":"1","display_text":"x"}',
  '['.repeat(5_000),
  '__proto__',
  '\u001b]0;title\u0007',
  'x'.repeat(70_000),
  '../../../etc/passwd',
  '972502222222:3@s.whatsapp.net',
]
const NUMBERS = [0, -1, 1, 2 ** 31, -(2 ** 53), Number.MAX_VALUE, Number.NaN, Number.POSITIVE_INFINITY, 1_800_000_000]

/** A message of the definition with random values, some of them hostile. @param random 0…1 */
export function randomMessage(random: () => number, name = 'Message', depth = 0): Record<string, unknown> {
  const fields = definition.get(name) ?? []
  const some = Math.min(fields.length, 1 + Math.floor(random() * (depth === 0 ? 2 : 6)))
  const message: Record<string, unknown> = {}
  for (let count = 0; count < some; count++) {
    const field = fields[Math.floor(random() * fields.length)]
    if (!field) continue
    const value = randomValue(field, random, name, depth)
    message[field.name] = field.repeated ? Array.from({ length: Math.floor(random() * 4) }, () => value) : value
  }
  return message
}

function randomValue(field: Field, random: () => number, scope: string, depth: number): unknown {
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)]
  switch (field.type) {
    case 'string':
      return pick(TEXTS)
    case 'bytes':
      return Uint8Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256))
    case 'bool':
      return random() < 0.5
    default: {
      const inner = resolve(field.type, scope)
      return inner && depth < 12 ? randomMessage(random, inner, depth + 1) : pick(NUMBERS)
    }
  }
}

/** Numbers from 0 to 1 that are the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39)
    mixed ^= mixed >>> 15
    return (mixed >>> 0) / 2 ** 32
  }
}
