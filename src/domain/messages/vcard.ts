import { cleanText, cutText } from '../../lib/text.ts'
import type { ContactCard } from '../../providers/whatsapp/port.ts'

const MAX_CARDS = 50
const MAX_VALUES = 20
const MAX_VALUE = 500

type Property = { name: string; parameters: string; value: string }

/** The people of a file of contact cards: vCard 2.1, 3.0 and 4.0 (RFC 2426, RFC 6350), as far as they name a person. */
export function parseVCards(file: string): ContactCard[] {
  return file
    .split(/^BEGIN:VCARD\s*$/im)
    .slice(1, 1 + MAX_CARDS)
    .map((card) => readCard(properties(card.split(/^END:VCARD\s*$/im)[0] ?? '')))
    .filter((card) => card.name !== '' || card.phones.length > 0)
}

function properties(card: string): Property[] {
  const lines = card
    // Quoted-printable goes on after a `=` at the end of its line, everything else before a blank.
    .replace(/=\r?\n(?=[^\r\n]*=[0-9A-F]{2})/gi, '')
    .replace(/\r?\n[ \t]/g, '')
    .split(/\r?\n|\r/)
  return lines.flatMap((line) => {
    const match = /^(?:[\w-]+\.)?([\w-]+)((?:;(?:"[^"]*"|[^":])*)?):(.*)$/.exec(line)
    if (!match) return []
    const [, name = '', parameters = '', value = ''] = match
    return [{ name: name.toUpperCase(), parameters, value: decode(value, parameters) }]
  })
}

function decode(value: string, parameters: string): string {
  if (!/quoted-printable/i.test(parameters)) return value
  const bytes = value.replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

function readCard(fields: Property[]): ContactCard {
  const all = (name: string) =>
    fields
      .filter((field) => field.name === name)
      .map((field) => plain(field.value))
      .filter((value) => value !== '')
      .slice(0, MAX_VALUES)
  const [family = '', given = '', middle = ''] = (fields.find(({ name }) => name === 'N')?.value ?? '').split(
    /(?<!\\);/,
  )
  const spelled = [given, middle, family].map(plain).filter(Boolean).join(' ')
  const [organization] = all('ORG')
  const emails = all('EMAIL')
  return {
    name: all('FN')[0] ?? (spelled || organization || ''),
    phones: all('TEL').map((phone) => phone.replace(/^tel:/i, '')),
    ...(emails.length > 0 && { emails }),
    ...(organization && { organization }),
  }
}

function plain(value: string): string {
  const text = value.replace(/\\n/gi, ' ').replace(/\\([\\,;:])/g, '$1')
  return cutText(cleanText(text).replace(/;+$/, '').trim(), MAX_VALUE)
}
