import {
  type AnyMessageContent,
  type BinaryNode,
  generateWAMessageContent,
  generateWAMessageFromContent,
  jidNormalizedUser,
  type proto,
  type WAMessage,
} from '@whiskeysockets/baileys'
import { AppError, errorMessage } from '../../../lib/errors.ts'
import { sha256Hex } from '../../../lib/ids.ts'
import type { Logger } from '../../../lib/log.ts'
import { waitAtMost } from '../../../lib/wait-at-most.ts'
import { createMediaFetcher } from '../media-by-url.ts'
import type { OutboundMedia, OutboundMessage, SendOutcome } from '../port.ts'
import { jidToPhone, phoneToJid } from './jids.ts'
import { createUploader, type MediaTransport } from './media.ts'
import type { LiveSocket } from './socket.ts'

/** Fetches a file to send. Throws an AppError: `unavailable` may be retried, other kinds may not. */
export type MediaFetcher = (media: OutboundMedia) => Promise<{ data: Uint8Array; contentType: string }>

export type OutboundOptions = {
  /** How long the server may take to acknowledge. */
  ackMs: number
  typingMs(text: string): number
  fetchMedia: MediaFetcher
  media: MediaTransport
  log: Logger
}

/** The longest time between the request for an acknowledgement and the stanza's departure. */
const WAIT_CAP_MS = 180_000
/** Server errors after which the same message may be accepted later. 479: a stale device list, refreshed by then. */
const REFUSED_FOR_NOW = new Set(['408', '429', '479', '500', '503'])

/** The id under which a message is sent: the caller's, or one derived from our row's id, the same at every attempt. */
export function providerIdOf(message: OutboundMessage): string {
  return message.providerMessageId ?? `3EB0${sha256Hex(message.id).slice(0, 18).toUpperCase()}`
}

/** Checks of a message that need no network. */
export function refuseAtOnce(message: OutboundMessage): SendOutcome | null {
  const refuse = (code: string, text: string): SendOutcome => ({ outcome: 'rejected', code, message: text })
  const media = message.media ?? []
  if (message.reaction) return null
  if (message.template) return refuse('template_not_supported', 'A linked account sends no templates; send text.')
  if (!message.text && media.length === 0) return refuse('empty_message', 'The message has neither text nor media.')
  if (media.length > 1) return refuse('too_many_media', 'A WhatsApp message holds one file; send one message a file.')
  if (media[0]?.voice && message.text)
    return refuse('voice_with_text', 'A voice note has no caption; send two messages.')
  return null
}

/** Remembers WhatsApp's address of each number, so that a known number needs no query. */
export class Recipients {
  private readonly known = new Map<string, string>()
  private readonly onIdentity: (phone: string, jid: string) => Promise<void>

  /** @param onIdentity called when WhatsApp has a number under another one */
  constructor(onIdentity: (phone: string, jid: string) => Promise<void> = async () => {}) {
    this.onIdentity = onIdentity
  }

  /**
   * The address to send to. In some countries it differs from the number: a Brazilian mobile number may lack its ninth digit,
   * a Mexican or Argentine one have an additional digit.
   * @returns null when the number is not on WhatsApp
   */
  async jidOf(live: LiveSocket, phone: string): Promise<string | null> {
    const known = this.known.get(phone)
    if (known) return known
    const results = await live.sock.onWhatsApp(phone)
    if (!results)
      throw new AppError('unavailable', 'lookup_failed', 'WhatsApp did not answer whether the number exists.')
    const found = results.find(({ exists }) => exists)?.jid
    if (!found) return null
    const whatsappPhone = jidToPhone(found)
    const jid = whatsappPhone ? phoneToJid(whatsappPhone) : jidNormalizedUser(found)
    if (whatsappPhone && whatsappPhone !== phone) await this.onIdentity(phone, jid)
    if (this.known.size >= KNOWN_MAX) this.known.clear()
    this.known.set(phone, jid)
    return jid
  }
}

const KNOWN_MAX = 10_000

/**
 * Sends one message and waits for the server's acknowledgement.
 * A failure before the encryption is `retry`: nothing can have left. After it, only an acknowledgement decides.
 */
export async function sendOverSocket(
  live: LiveSocket,
  message: OutboundMessage,
  recipients: Recipients,
  options: OutboundOptions,
): Promise<SendOutcome> {
  const id = providerIdOf(message)
  let jid: string | null
  let content: proto.IMessage
  try {
    jid = await recipients.jidOf(live, message.to)
    if (!jid) return { outcome: 'rejected', code: 'not_on_whatsapp', message: 'This number is not on WhatsApp.' }
    content = await buildContent(live, message, jid, options)
    await showTyping(live, jid, message.text, options)
  } catch (error) {
    return outcomeBeforeSending(error)
  }
  return relay(live, jid, id, content, options)
}

async function relay(
  live: LiveSocket,
  jid: string,
  id: string,
  content: proto.IMessage,
  options: OutboundOptions,
): Promise<SendOutcome> {
  const { sock } = live
  const before = live.encryptions
  const answer = sock.waitForMessage<BinaryNode>(id, WAIT_CAP_MS).then(
    (node) => node ?? null,
    () => null,
  )
  try {
    await sock.relayMessage(jid, content, { messageId: id })
  } catch (error) {
    if (live.encryptions === before) return outcomeBeforeSending(error)
    return { outcome: 'unknown', code: 'send_interrupted', message: errorMessage(error) }
  }
  const node = await waitAtMost(answer, options.ackMs)
  if (!node) {
    const code = live.isOver ? 'connection_lost' : 'no_acknowledgement'
    return { outcome: 'unknown', code, message: 'The message was sent, and WhatsApp did not acknowledge it.' }
  }
  return readAnswer(node, id)
}

/** An acknowledgement, or the receipt of a recipient: either proves that the server took the message. */
function readAnswer(node: BinaryNode, id: string): SendOutcome {
  const { error } = node.attrs
  if (node.tag !== 'ack' || !error) return { outcome: 'accepted', providerMessageId: id, status: 'sent' }
  if (REFUSED_FOR_NOW.has(error))
    return {
      outcome: 'retry',
      code: error,
      message: `WhatsApp refused the message for now (${error}).`,
      retryAfterMs: 10_000,
    }
  if (error === '463')
    return {
      outcome: 'rejected',
      code: error,
      message: 'WhatsApp restricts this account: it cannot open new chats for now.',
    }
  return { outcome: 'rejected', code: error, message: `WhatsApp refused the message (${error}).` }
}

/** Builds the message and uploads its files; also used to send a message again that a phone could not decrypt. */
export async function buildContent(
  live: LiveSocket,
  message: OutboundMessage,
  jid: string,
  options: OutboundOptions,
): Promise<proto.IMessage> {
  const { sock } = live
  const userJid = sock.user?.id ?? ''
  const body: AnyMessageContent = message.reaction
    ? {
        react: { text: message.reaction.emoji, key: { remoteJid: jid, id: message.reaction.messageId, fromMe: false } },
      }
    : await bodyOf(message, options.fetchMedia)
  const generated = await generateWAMessageContent(body, { upload: createUploader(sock, options.media), jid })
  const full = generateWAMessageFromContent(jid, generated, {
    userJid,
    messageId: providerIdOf(message),
    ...(message.replyTo ? { quoted: quotedStub(jid, message.replyTo) } : {}),
  })
  if (full.message?.messageContextInfo?.messageSecret)
    full.message.messageContextInfo.messageSecret = Buffer.from(live.secretOf(providerIdOf(message)), 'base64')
  if (!full.message) throw new AppError('internal', 'message_not_built', 'The message could not be built.')
  return full.message
}

async function bodyOf(message: OutboundMessage, fetchMedia: MediaFetcher): Promise<AnyMessageContent> {
  const [media] = message.media ?? []
  if (!media) return { text: message.text ?? '' }
  const { data, contentType } = await fetchMedia(media)
  const mimetype = (media.contentType ?? contentType).toLowerCase()
  const [bare = ''] = mimetype.split(';')
  const bytes = Buffer.from(data)
  const caption = message.text
  // An empty thumbnail stops Baileys from looking for image tools; phones make their own preview.
  if (media.voice)
    return { audio: bytes, ptt: true, mimetype: bare === 'audio/ogg' ? 'audio/ogg; codecs=opus' : mimetype }
  if (bare === 'image/jpeg' || bare === 'image/png') return { image: bytes, caption, mimetype: bare, jpegThumbnail: '' }
  if (bare === 'video/mp4' || bare === 'video/3gpp') return { video: bytes, caption, mimetype: bare, jpegThumbnail: '' }
  if (bare.startsWith('audio/') && !caption) return { audio: bytes, mimetype }
  return { document: bytes, caption, mimetype: bare || 'application/octet-stream', fileName: media.fileName ?? 'file' }
}

/** A quote needs the message's id and author; the reader's phone finds the text by the id. */
function quotedStub(jid: string, id: string): WAMessage {
  return { key: { remoteJid: jid, id, fromMe: false }, message: { conversation: '' } }
}

async function showTyping(
  live: LiveSocket,
  jid: string,
  text: string | undefined,
  options: OutboundOptions,
): Promise<void> {
  const duration = text ? options.typingMs(text) : 0
  if (duration <= 0) return
  await live.sock.sendPresenceUpdate('composing', jid)
  await Bun.sleep(duration)
  await live.sock.sendPresenceUpdate('paused', jid)
}

function outcomeBeforeSending(error: unknown): SendOutcome {
  const known = error instanceof AppError ? error : null
  const message = errorMessage(error)
  if (known && known.kind !== 'unavailable' && known.kind !== 'internal')
    return { outcome: 'rejected', code: known.code, message }
  return { outcome: 'retry', code: known?.code ?? 'not_sent', message }
}

export const fetchMediaByUrl: MediaFetcher = createMediaFetcher({ allowPrivate: false })
