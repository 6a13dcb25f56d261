import type { proto } from '@whiskeysockets/baileys'
import type { ContactCard } from '../../port.ts'
import { type Reading, shown } from './decision.ts'
import { labelOf, linesOf, listOf, numberOf, textOf } from './text.ts'

const VCARD_MAX = 65_536

export function readLocation(node: proto.Message.ILocationMessage): Reading {
  const url = labelOf(node.url, 2_000)
  const { degreesLatitude, degreesLongitude, isLive, contextInfo } = node
  const name = labelOf(node.name)
  const place = placeOf(degreesLatitude, degreesLongitude)
  if (!place) return shown('location', linesOf(name, textOf(node.address, 1_000), url))
  const address = labelOf(node.address)
  return {
    content: { kind: 'location', ...place, name, address, ...(url && { url }), ...(isLive && { live: true }) },
    context: contextInfo ?? null,
  }
}

export function readLiveLocation(node: proto.Message.ILiveLocationMessage): Reading {
  const text = textOf(node.caption)
  const place = placeOf(node.degreesLatitude, node.degreesLongitude)
  if (!place) return shown('live_location', text)
  const content = { kind: 'location' as const, ...place, name: null, address: null, live: true, ...(text && { text }) }
  return { content, context: node.contextInfo ?? null }
}

function placeOf(latitude: unknown, longitude: unknown): { latitude: number; longitude: number } | null {
  const [north, east] = [numberOf(latitude), numberOf(longitude)]
  if (north === null || east === null || Math.abs(north) > 90 || Math.abs(east) > 180) return null
  return { latitude: north, longitude: east }
}

export function readContacts(
  cards: readonly proto.Message.IContactMessage[],
  contextInfo: proto.IContextInfo | null | undefined,
  title?: string | null,
): Reading {
  if (cards.length === 0) return shown('contacts', labelOf(title) ?? '')
  return { content: { kind: 'contacts', contacts: listOf(cards).map(readCard) }, context: contextInfo ?? null }
}

/** Reads a vCard 2.1, 3.0 or 4.0. */
export function readCard({ displayName, vcard }: proto.Message.IContactMessage): ContactCard {
  const lines = textOf(vcard, VCARD_MAX)
    .replace(/\r?\n[ \t]/g, '')
    .split(/\r?\n/)
  const valuesOf = (property: string) =>
    lines.flatMap((line) => {
      const colon = line.indexOf(':')
      const [head = ''] = line.slice(0, colon).split(';')
      const isIt = colon > 0 && head.replace(/^[\w-]+\./, '').toUpperCase() === property
      const value = isIt ? labelOf(unescapeValue(line.slice(colon + 1))) : null
      return value ? [value] : []
    })
  const [fullName] = valuesOf('FN')
  const [organization] = valuesOf('ORG')
  const emails = valuesOf('EMAIL').slice(0, 20)
  return {
    name: labelOf(displayName) ?? fullName ?? organization ?? '',
    phones: valuesOf('TEL')
      .map((phone) => phone.replace(/^tel:/i, ''))
      .slice(0, 20),
    ...(emails.length > 0 && { emails }),
    ...(organization && { organization }),
  }
}

function unescapeValue(value: string): string {
  return value
    .replace(/\\n/gi, ' ')
    .replace(/\\([\\,;:])/g, '$1')
    .replace(/;+$/, '')
}
