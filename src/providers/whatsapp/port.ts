export type WhatsAppProviderName = 'twilio' | 'baileys'

export type OutboundMedia = { url: string; contentType?: string; fileName?: string; voice?: boolean }

/** What the server of a file says of it before anybody fetches it; null when that cannot be known now. */
export type ProbeMedia = (
  url: string,
) => Promise<{ missing: true } | { missing: false; contentType: string | null; bytes: number | null } | null>

/** A message to send. `id` is our row's id, `account` the sender, `to` E.164. */
export type OutboundMessage = {
  id: string
  account: string
  to: string
  text?: string
  media?: OutboundMedia[]
  template?: { contentSid: string; variables: Record<string, string> }
  replyTo?: string
  providerMessageId?: string
}

/** How one attempt to send ended; every attempt ends in exactly one of these. */
export type SendOutcome =
  | { outcome: 'accepted'; providerMessageId: string; status: 'queued' | 'sent' }
  /** Will never be taken: do not retry. */
  | { outcome: 'rejected'; code: string; message: string }
  /** Surely not sent: safe to try again. */
  | { outcome: 'retry'; code: string; message: string; retryAfterMs?: number }
  /** May have been taken: reconcile before anything else. */
  | { outcome: 'unknown'; code: string; message: string }

export interface WhatsAppSender {
  readonly provider: WhatsAppProviderName
  send(message: OutboundMessage): Promise<SendOutcome>
  /**
   * After an unknown outcome: was it taken? `absent` = surely not, `undecided` = still unknown.
   * @param message.since when the attempt began
   * @param message.otherIds provider ids that belong to other messages of ours and so cannot be this one
   */
  reconcile(
    message: OutboundMessage & { since: Date; otherIds: string[] },
  ): Promise<SendOutcome | { outcome: 'absent' } | { outcome: 'undecided' }>
}

/** Where a linked account keeps its credentials and keys. Values are encrypted texts: a store never sees plaintext. */
export interface AuthStore {
  /** null only when the account surely has none; anything else that goes wrong must throw. */
  readCreds(): Promise<string | null>
  /** What is there of the ids asked for. Throws on errors: an empty answer means "surely absent". */
  readKeys(type: string, ids: string[]): Promise<Map<string, string>>
  /** All of it or nothing. Throws an AppError `stale_owner` when another process owns the account now. */
  write(changes: AuthChanges): Promise<void>
  clear(): Promise<void>
}

/** `value: null` deletes. */
export type AuthChanges = { creds?: string; keys: { type: string; id: string; value: string | null }[] }

/** Code of the AppError with which an AuthStore refuses a write of a process that lost the account. */
export const STALE_OWNER = 'stale_owner'

export type AccountState = 'stopped' | 'starting' | 'scan_qr' | 'working' | 'failed' | 'logged_out' | 'blocked'

/** How a linked account is, in words for its owner. */
export type AccountStatus = {
  state: AccountState
  since: Date
  /** Machine-readable cause of the state, such as `connection_lost`. */
  reason: string | null
  /** What the owner is to do; null when nothing. */
  advice: string | null
  /** The code to scan, while `scan_qr`. */
  qr: string | null
  /** The code to type on the phone, once one was asked for. */
  pairingCode: string | null
  /** Own number as E.164, once linked. */
  phone: string | null
  /** Own LID, once known. */
  lid: string | null
  /** When the next attempt to connect is due. */
  retryAt: Date | null
  /** WhatsApp refused a message because the account is restricted. */
  restriction: { code: string; at: Date } | null
}

/** A person as WhatsApp names them. A LID is never a phone number. */
export type WhatsAppParty = { phone: string | null; lid: string | null; name: string | null }

export type InboundMedia = {
  kind: 'image' | 'video' | 'audio' | 'voice' | 'document' | 'sticker'
  /**
   * Where the file is fetched from; for a linked account what `downloadMedia` takes, which holds the file's key and serves
   * for weeks. null when the file cannot be had (no key, no address): the message is shown, the file is marked unavailable.
   */
  url: string | null
  contentType: string
  fileName: string | null
  bytes: number | null
  seconds: number | null
  /** A small JPEG that came inside the message, base64. */
  thumbnail?: string | null
  /** Sent to be looked at once. */
  viewOnce?: boolean
  /** A film that is played like an animated picture. */
  gif?: boolean
}

/** A button or row that was offered. */
export type OfferedChoice = { id: string | null; text: string; description?: string | null; url?: string | null }

/** What a message says, the same for every provider. Words are kept even where the rest of the message is not understood. */
export type InboundContent =
  | { kind: 'text'; text: string }
  /** `emoji` is empty when a reaction was taken back. */
  | { kind: 'reaction'; emoji: string; messageId: string }
  | { kind: 'edit'; messageId: string; text: string }
  /** Its writer's own, unless an administrator of a group did it: then `direction` says whose message it is. */
  | { kind: 'deletion'; messageId: string; by?: 'administrator'; direction?: 'in' | 'out' }
  | {
      kind: 'location'
      latitude: number
      longitude: number
      name: string | null
      address: string | null
      url?: string | null
      /** A place that moves: shared for a time. */
      live?: boolean
      /** Words that were sent with the place. */
      text?: string | null
    }
  | { kind: 'contacts'; contacts: ContactCard[] }
  | { kind: 'media'; media: InboundMedia[]; text: string }
  /** What somebody chose of the buttons, rows or form fields that were offered: the words and the id behind them. */
  | {
      kind: 'choice'
      text: string
      id: string | null
      description?: string | null
      source: 'button' | 'list' | 'template' | 'flow' | 'other'
      data?: unknown
    }
  /** A message that offers buttons, rows or links. */
  | {
      kind: 'interactive'
      text: string
      header?: string | null
      footer?: string | null
      choices: OfferedChoice[]
      /** The picture, film or document above the text. */
      media?: InboundMedia[]
    }
  | { kind: 'poll'; question: string; options: string[]; selectable: number | null }
  /** `options` are the chosen names; empty when the vote was taken back. */
  | { kind: 'poll_vote'; messageId: string; options: string[] }
  | {
      kind: 'order'
      text: string
      orderId: string | null
      items: { id: string | null; name: string | null; quantity: number | null; amount: number | null }[]
      /** In the currency's smallest unit (agorot, cents). */
      total: number | null
      currency: string | null
    }
  | {
      kind: 'product'
      text: string
      id: string | null
      amount: number | null
      currency: string | null
      url: string | null
      media?: InboundMedia[]
    }
  | {
      kind: 'event'
      name: string
      description: string | null
      startsAt: string | null
      endsAt: string | null
      place: string | null
      cancelled?: boolean
    }
  /** Something this product has no shape for, shown as what it is, with whatever words it held. */
  | { kind: 'unsupported'; type: string; text: string }

export type ContactCard = { name: string; phones: string[]; emails?: string[]; organization?: string | null }

/** What surrounds a message's content, for every kind of content. */
export type InboundExtras = {
  forwarded?: boolean
  /** Times forwarded, as far as the provider counts. */
  forwardScore?: number
  /** The advertisement or post that a conversation was opened from. */
  referral?: {
    sourceType: string | null
    sourceId: string | null
    url: string | null
    headline: string | null
    body: string | null
    mediaUrl: string | null
    clickId: string | null
  }
  /** The words of the message that is answered, as the provider quoted them. */
  quoted?: string | null
  /** People mentioned, E.164 or LID. */
  mentions?: string[]
  /** Fields of the provider that this product does not know, as they came. */
  extra?: Record<string, string>
}

/** A message of a conversation, not written by this product. */
export type InboundEvent = {
  provider: 'baileys'
  account: string
  /** Provider's message id; unique together with account, chat and direction. */
  id: string
  /** `account/chat/direction/id`: the same message, however often it comes, has the same key. */
  dedupeKey: string
  /** A UUIDv7 made when it came: what was stored in another order sorts right by it. */
  arrival?: string
  /** `out`: the business wrote it, on its own phone. */
  direction: 'in' | 'out'
  /** The person of the chat; who wrote in a group. */
  contact: WhatsAppParty
  /** JID of the group, in a group. */
  group: string | null
  /**
   * JID of the broadcast list that the owner sent it to. There is one event a recipient; where WhatsApp names none, one
   * without a person.
   */
  list?: string
  at: Date
  /** `history`: from before the link. */
  source: 'live' | 'history'
  /** Provider id of the message that is answered. */
  replyTo: string | null
  content: InboundContent
  extras?: InboundExtras
  /**
   * The key under which answers to this message are encrypted (votes, edits, some reactions), base64. As secret as the
   * message; it is given back by `findSecret`.
   */
  secret?: string
  /** Nothing of the message could be read yet; the same `dedupeKey` comes again when it could. */
  placeholder?: boolean
}

/** What a stored message gives to whoever has to decrypt an answer to it. */
export type StoredSecret = {
  /** base64 */
  secret: string
  /** Names of a poll's options; null when it is no poll. */
  options: string[] | null
}

/**
 * Reads a message that a bridge posts in Baileys' own form, as JSON.
 * @returns null for what is no part of a conversation with one person
 */
export type ReadBridgeMessage = (message: unknown) => Promise<InboundEvent | null>

/** News of a message that was sent. They come in any order and more than once. */
export type ReceiptEvent = {
  account: string
  providerMessageId: string
  status: 'sent' | 'delivered' | 'read' | 'failed'
  errorCode: string | null
  at: Date
}

/** What an account tells whoever owns it. */
export type AccountHooks = {
  /**
   * Stores an inbound message. The receipt leaves only after this resolved; when it rejects, the socket is cut and the
   * message comes again. May be called more than once for one message. Must not wait for a send of this account.
   */
  onInbound(event: InboundEvent): Promise<void>
  /**
   * Stores news of messages that were sent. What came as a receipt is acknowledged only after this resolved; it is called
   * again a few times when it rejects, and in the end the socket is cut, so that WhatsApp brings the receipts again.
   */
  onReceipts(events: ReceiptEvent[]): Promise<void>
  onStatus(status: AccountStatus): void
  /** Messages from before the link, newest last; called once a link, and again when it rejects. */
  onHistory?(events: InboundEvent[]): Promise<void>
  /** Does this process still own the account? Asked when another connection replaced ours. Yes when unset. */
  isOwner?(): Promise<boolean>
  /** The key that came with a stored message; null when there is none. */
  findSecret?(providerMessageId: string): Promise<StoredSecret | null>
  /**
   * WhatsApp knows a number that was written to (E.164) under an id of another number, as in Brazil, Mexico and Argentina.
   */
  onIdentity?(phone: string, jid: string): Promise<void>
  /** A message sent of late, by provider id, for a phone that could not decrypt it. */
  getMessage?(providerMessageId: string): Promise<OutboundMessage | null>
}

/** An account whose socket this process holds. Every state it comes into is told to `onStatus`. */
export interface LinkedAccount extends WhatsAppSender {
  readonly provider: 'baileys'
  status(): AccountStatus
  /** The id under which a message is sent, the same at every attempt. */
  fixedId(message: OutboundMessage): string
  /** Connects, and stays connected until `stop`. */
  start(): Promise<void>
  /** Disconnects within some two seconds; the link is kept. */
  stop(reason?: string): Promise<void>
  /** Unlinks, and forgets the credentials. */
  logout(): Promise<void>
  /** @throws AppError `not_linking` unless it shows a QR code */
  requestPairingCode(phone: string): Promise<string>
  downloadMedia(url: string, maxBytes: number): Promise<{ data: Uint8Array; contentType: string }>
}

/** What a linked account is opened with, beside what every account of the installation shares. */
export type LinkedAccountOptions = {
  /** Our id of the account. */
  account: string
  store: AuthStore
  hooks: AccountHooks
  allowGroups: boolean
  /** How many messages from before the link are handed to `onHistory`. */
  historyLimit: number
  /** Milliseconds of typing shown before a text. */
  typingMs(text: string): number
}

export type OpenLinkedAccount = (options: LinkedAccountOptions) => LinkedAccount

/** The files of a message's content, of whatever kind it is. */
export function mediaOf(content: InboundContent): InboundMedia[] {
  return 'media' in content ? (content.media ?? []) : []
}

/** The same content with its files changed. */
export function withMedia(content: InboundContent, change: (file: InboundMedia) => InboundMedia): InboundContent {
  return 'media' in content && content.media ? { ...content, media: content.media.map(change) } : content
}

/** The scheme of `InboundMedia.url`. */
export const WHATSAPP_MEDIA_SCHEME = 'whatsapp-media:'
