import type { InboundMessage } from '../../jobs/registry.ts'
import { toDecimal } from '../../lib/money.ts'
import { cutText } from '../../lib/text.ts'
import type { ContactCard, InboundContent, InboundExtras, InboundMedia } from '../../providers/whatsapp/port.ts'
import type { MessageData, MessageExtras } from './message-data.ts'

/** The content columns of a message row: `body` is what a person reads, `data` what a program reads. */
export type DescribedContent = Pick<InboundMessage, 'kind' | 'body' | 'media'> & {
  data: MessageData & MessageExtras
  /** The provider's id of the message that it is about: reactions, votes, edits and deletions have one. */
  target: string | null
}

/** WhatsApp's own limit of a text, in UTF-16 units. */
export const MAX_BODY = 65_536

/** Content of any provider as its row has it: all that a person wrote is in `body`; structure and extras are in `data`. */
export function describeContent(content: InboundContent, extras: InboundExtras = {}): DescribedContent {
  const { kind, body, media = [], data = {} } = describe(content)
  const target = 'messageId' in content ? content.messageId : null
  return { kind, body: cutText(body, MAX_BODY), media, data: { ...data, ...extras }, target }
}

type Description = Pick<DescribedContent, 'kind' | 'body'> & Partial<DescribedContent>

function describe(content: InboundContent): Description {
  switch (content.kind) {
    case 'text':
    case 'edit':
      return { kind: content.kind, body: content.text }
    case 'reaction':
      return { kind: 'reaction', body: content.emoji }
    case 'deletion':
      return { kind: 'deletion', body: '' }
    case 'location': {
      const { latitude, longitude, name, address, url, live, text } = content
      const body = lines('\n', text, lines(', ', name, address) || `${latitude}, ${longitude}`)
      return {
        kind: 'location',
        body,
        data: { latitude, longitude, name, address, ...(url && { url }), ...(live && { live }) },
      }
    }
    case 'contacts': {
      const { contacts: cards } = content
      return { kind: 'contacts', body: describeCards(cards), data: { contacts: cards } }
    }
    case 'media':
      return describeFiles(content)
    case 'choice': {
      const { text, id, description, source, data } = content
      return {
        kind: 'choice',
        body: text,
        data: { choice: { id, text, description: description ?? null, source, data } },
      }
    }
    case 'interactive': {
      const { text, header, footer, choices } = content
      const body = lines('\n', header, text, footer, ...choices.map((choice) => `• ${choice.text}`))
      const data = { header: header ?? null, footer: footer ?? null, choices }
      return { kind: 'interactive', body, media: filesOf(content.media), data }
    }
    case 'poll': {
      const { question, options, selectable } = content
      const body = lines('\n', question, ...options.map((option) => `• ${option}`))
      return { kind: 'poll', body, data: { poll: { question, options, selectable } } }
    }
    case 'poll_vote':
      return { kind: 'poll_vote', body: content.options.join(', '), data: { options: content.options } }
    case 'order': {
      const { text, orderId, items, total, currency } = content
      const rows = items.map((item) => lines(' × ', item.name ?? item.id, item.quantity?.toString()))
      const sum = total !== null && currency ? `${toDecimal(total)} ${currency}` : null
      return {
        kind: 'order',
        body: lines('\n', text, ...rows, sum),
        data: { order: { orderId, items, total, currency } },
      }
    }
    case 'product': {
      const { text, id, amount, currency, url } = content
      return {
        kind: 'product',
        body: text,
        media: filesOf(content.media),
        data: { product: { id, amount, currency, url } },
      }
    }
    case 'event': {
      const { kind, ...event } = content
      return { kind, body: lines('\n', event.name, event.description, event.startsAt, event.place), data: { event } }
    }
    case 'unsupported':
      return { kind: 'unsupported', body: content.text, data: { type: content.type } }
  }
}

function describeFiles({ media, text }: Extract<InboundContent, { kind: 'media' }>): Description {
  const [first] = media
  return {
    kind: first?.kind ?? 'document',
    body: text,
    media: filesOf(media),
    data: {
      fileName: first?.fileName ?? null,
      bytes: first?.bytes ?? null,
      seconds: first?.seconds ?? null,
      ...(first?.viewOnce && { viewOnce: true }),
      ...(first?.gif && { gif: true }),
    },
  }
}

function filesOf(media: InboundMedia[] = []): DescribedContent['media'] {
  return media.map(({ kind, url, contentType, fileName, seconds, thumbnail }) => ({
    kind,
    url,
    contentType,
    fileName,
    seconds,
    ...(thumbnail && { thumbnail }),
  }))
}

export function describeCards(cards: ContactCard[]): string {
  return cards.map((card) => lines(' ', card.name, ...card.phones, ...(card.emails ?? []))).join('\n')
}

function lines(by: string, ...parts: (string | null | undefined)[]): string {
  return parts.filter(Boolean).join(by)
}
