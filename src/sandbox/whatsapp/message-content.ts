import { proto } from '@whiskeysockets/baileys'
import { z } from 'zod'
import type { MediaKind, MediaServer } from './media.ts'
import { phoneJid, type WhatsAppState } from './whatsapp-state.ts'

const quote = z.object({
  id: z.string().min(1),
  fromAccount: z.boolean().default(true),
  text: z.string().default(''),
})
const bytes = z.union([
  z.base64().transform((text) => Uint8Array.from(Buffer.from(text, 'base64'))),
  z.instanceof(Uint8Array),
])

export const contentSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('text'), text: z.string(), replyTo: quote.optional() }),
  z.object({
    kind: z.literal('reaction'),
    emoji: z.string(),
    messageId: z.string(),
    ofAccount: z.boolean().default(true),
  }),
  z.object({ kind: z.literal('edit'), messageId: z.string(), text: z.string() }),
  z.object({ kind: z.literal('delete'), messageId: z.string() }),
  z.object({
    kind: z.literal('location'),
    latitude: z.number(),
    longitude: z.number(),
    name: z.string().optional(),
    address: z.string().optional(),
  }),
  z.object({ kind: z.literal('contact'), name: z.string(), phone: z.string() }),
  z.object({
    kind: z.literal('image'),
    data: bytes,
    mimeType: z.string().default('image/jpeg'),
    caption: z.string().optional(),
  }),
  z.object({
    kind: z.literal('video'),
    data: bytes,
    mimeType: z.string().default('video/mp4'),
    caption: z.string().optional(),
  }),
  z.object({
    kind: z.literal('document'),
    data: bytes,
    mimeType: z.string().default('application/pdf'),
    fileName: z.string(),
    caption: z.string().optional(),
  }),
  z.object({
    kind: z.literal('voice'),
    data: bytes,
    mimeType: z.string().default('audio/ogg; codecs=opus'),
    seconds: z.number().int().min(0).default(1),
  }),
])
export type Content = z.infer<typeof contentSchema>
export type ContentInput = z.input<typeof contentSchema>

/** A message ready to be encrypted, with the attributes of its stanza. */
export type BuiltContent = { message: proto.IMessage; mediaType?: string; edit?: string }

/** Builds the message a contact's phone would send. @param parties digits of who writes and who is written to */
export async function buildContent(
  content: Content,
  parties: { contact: string; account: string },
  media: MediaServer,
): Promise<BuiltContent> {
  const chat = phoneJid(parties.account)
  const { Type } = proto.Message.ProtocolMessage
  switch (content.kind) {
    case 'text': {
      if (!content.replyTo) return { message: { conversation: content.text } }
      const { id, fromAccount, text } = content.replyTo
      const participant = phoneJid(fromAccount ? parties.account : parties.contact)
      const contextInfo = { stanzaId: id, participant, quotedMessage: { conversation: text } }
      return { message: { extendedTextMessage: { text: content.text, contextInfo } } }
    }
    case 'reaction': {
      // A reaction names the message as seen by the reacting phone: `fromMe` is false for the business's own.
      const key = { remoteJid: chat, fromMe: !content.ofAccount, id: content.messageId }
      return { message: { reactionMessage: { key, text: content.emoji, senderTimestampMs: Date.now() } } }
    }
    case 'edit': {
      const key = { remoteJid: chat, fromMe: true, id: content.messageId }
      const editedMessage = { conversation: content.text }
      const protocolMessage = { key, type: Type.MESSAGE_EDIT, editedMessage, timestampMs: Date.now() }
      return { message: { protocolMessage }, edit: '1' }
    }
    case 'delete': {
      const key = { remoteJid: chat, fromMe: true, id: content.messageId }
      return { message: { protocolMessage: { key, type: Type.REVOKE } }, edit: '7' }
    }
    case 'location': {
      const { latitude, longitude, name, address } = content
      return { message: { locationMessage: { degreesLatitude: latitude, degreesLongitude: longitude, name, address } } }
    }
    case 'contact': {
      const digits = content.phone.replace(/\D/g, '')
      const vcard = `BEGIN:VCARD\nVERSION:3.0\nFN:${content.name}\nTEL;type=CELL;waid=${digits}:+${digits}\nEND:VCARD`
      return { message: { contactMessage: { displayName: content.name, vcard } }, mediaType: 'vcard' }
    }
    default:
      return buildMedia(content, media)
  }
}

async function buildMedia(content: Extract<Content, { data: Uint8Array }>, media: MediaServer): Promise<BuiltContent> {
  const { data, mimeType: mimetype } = content
  switch (content.kind) {
    case 'image':
      return {
        message: { imageMessage: { ...(await media.store('image', data)), mimetype, caption: content.caption } },
        mediaType: 'image',
      }
    case 'video':
      return {
        message: { videoMessage: { ...(await media.store('video', data)), mimetype, caption: content.caption } },
        mediaType: 'video',
      }
    case 'voice': {
      const stored = await media.store('audio', data)
      return {
        message: { audioMessage: { ...stored, mimetype, seconds: content.seconds, ptt: true } },
        mediaType: 'ptt',
      }
    }
    case 'document': {
      const { fileName, caption } = content
      const documentMessage = { ...(await media.store('document', data)), mimetype, fileName, title: fileName, caption }
      return { message: { documentMessage }, mediaType: 'document' }
    }
  }
}

export type Described = {
  kind: string
  text?: string
  replyTo?: string
  reaction?: { emoji: string; messageId: string }
  media?: { mimeType: string; fileName?: string; bytes: number; voice: boolean; seconds?: number }
}

export function describeMessage(message: proto.IMessage): Described {
  const held = findMedia(message)
  if (held) {
    const { node, kind } = held
    const voice = message.audioMessage?.ptt === true
    const caption = 'caption' in node ? node.caption : undefined
    const replyTo = node.contextInfo?.stanzaId
    const seconds = 'seconds' in node ? node.seconds : undefined
    const fileName = 'fileName' in node ? node.fileName : undefined
    return {
      kind: voice ? 'voice' : kind,
      ...(caption ? { text: caption } : {}),
      ...(replyTo ? { replyTo } : {}),
      media: {
        mimeType: node.mimetype ?? '',
        bytes: Number(node.fileLength ?? 0),
        voice,
        ...(fileName ? { fileName } : {}),
        ...(seconds ? { seconds } : {}),
      },
    }
  }
  if (message.reactionMessage) {
    const { text, key } = message.reactionMessage
    return { kind: 'reaction', reaction: { emoji: text ?? '', messageId: key?.id ?? '' } }
  }
  if (message.protocolMessage) return { kind: `protocol:${message.protocolMessage.type ?? 0}` }
  const text = message.extendedTextMessage?.text ?? message.conversation
  if (typeof text !== 'string') return { kind: 'other' }
  const replyTo = message.extendedTextMessage?.contextInfo?.stanzaId
  return { kind: 'text', text, ...(replyTo ? { replyTo } : {}) }
}

export function findMedia(message: proto.IMessage) {
  if (message.imageMessage) return { kind: 'image', node: message.imageMessage } as const
  if (message.videoMessage) return { kind: 'video', node: message.videoMessage } as const
  if (message.audioMessage) return { kind: 'audio', node: message.audioMessage } as const
  if (message.documentMessage) return { kind: 'document', node: message.documentMessage } as const
  return undefined
}

export async function openReceivedMedia(
  state: WhatsAppState,
  media: MediaServer,
  phone: string,
  id: string,
): Promise<Uint8Array | undefined> {
  const delivery = state.deliveries.find((entry) => entry.to === phone && entry.id === id)
  const held = delivery && findMedia(delivery.message)
  if (!held?.node.directPath || !held.node.mediaKey) return undefined
  return media.open(held.kind satisfies MediaKind, { directPath: held.node.directPath, mediaKey: held.node.mediaKey })
}
