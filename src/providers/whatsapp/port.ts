export type WhatsAppProviderName = 'twilio' | 'baileys'

export type OutboundMedia = { url: string; contentType?: string; fileName?: string; voice?: boolean }

/** Type and size of a file by its server; null when they are not available now. */
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
  /** Instead of all of that: about a message of theirs, by its provider's id. An empty emoji takes it back. */
  reaction?: { emoji: string; messageId: string }
  replyTo?: string
  providerMessageId?: string
}

export type SendOutcome =
  | { outcome: 'accepted'; providerMessageId: string; status: 'queued' | 'sent' }
  /** Will never be accepted: do not retry. */
  | { outcome: 'rejected'; code: string; message: string }
  /** Certainly not sent: safe to retry. */
  | { outcome: 'retry'; code: string; message: string; retryAfterMs?: number }
  /** May have been accepted: reconcile first. */
  | { outcome: 'unknown'; code: string; message: string }

export interface WhatsAppSender {
  readonly provider: WhatsAppProviderName
  send(message: OutboundMessage): Promise<SendOutcome>
  /**
   * After an unknown outcome: was it taken? `absent` = certainly not, `undecided` = still unknown.
   * @param message.since when the attempt began
   * @param message.otherIds provider ids of our other messages, which cannot be this one
   */
  reconcile(
    message: OutboundMessage & { since: Date; otherIds: string[] },
  ): Promise<SendOutcome | { outcome: 'absent' } | { outcome: 'undecided' }>
}

/** A message that WhatsApp approved in advance: the only kind that may open a conversation over its business platform. */
export type WhatsAppTemplate = {
  contentSid: string
  name: string
  language: string
  /** With its variables as `{{1}}`. */
  text: string
  variables: string[]
  approved: boolean
}

export interface TemplateSource {
  listTemplates(): Promise<WhatsAppTemplate[]>
}

/** The credentials and keys of a linked account, as encrypted texts: a store never sees plaintext. */
export interface AuthStore {
  readCreds(): Promise<string | null>
  /** Throws on errors: an id missing in the answer is certainly absent. */
  readKeys(type: string, ids: string[]): Promise<Map<string, string>>
  /** All or nothing. Throws an AppError `stale_owner` when another process owns the account now. */
  write(changes: AuthChanges): Promise<void>
  clear(): Promise<void>
}

/** `value: null` deletes. */
export type AuthChanges = { creds?: string; keys: { type: string; id: string; value: string | null }[] }

/** Code of the AppError with which an AuthStore refuses a process that lost the account. */
export const STALE_OWNER = 'stale_owner'

export type AccountState = 'stopped' | 'starting' | 'scan_qr' | 'working' | 'failed' | 'logged_out' | 'blocked'

export type AccountStatus = {
  state: AccountState
  since: Date
  /** Machine-readable cause of the state, such as `connection_lost`. */
  reason: string | null
  /** What the owner has to do; null when nothing. */
  advice: string | null
  qr: string | null
  pairingCode: string | null
  phone: string | null
  lid: string | null
  retryAt: Date | null
  /** WhatsApp refused a message because the account is restricted. */
  restriction: { code: string; at: Date } | null
}

/** A LID is never a phone number. */
export type WhatsAppParty = { phone: string | null; lid: string | null; name: string | null }

export type InboundMedia = {
  kind: 'image' | 'video' | 'audio' | 'voice' | 'document' | 'sticker'
  /** Linked account: `downloadMedia`'s argument, holds the file's key, valid for weeks. null without key or address. */
  url: string | null
  contentType: string
  fileName: string | null
  bytes: number | null
  seconds: number | null
  thumbnail?: string | null
  viewOnce?: boolean
  /** A video that is played like an animated picture. */
  gif?: boolean
}

export type OfferedChoice = { id: string | null; text: string; description?: string | null; url?: string | null }

/** The content of a message, the same for every provider. Text is preserved even of a message that is not supported. */
export type InboundContent =
  | { kind: 'text'; text: string }
  /** `emoji` is empty when a reaction was taken back. */
  | { kind: 'reaction'; emoji: string; messageId: string }
  | { kind: 'edit'; messageId: string; text: string }
  /** Of the writer's own message, unless an administrator of a group deleted it: then `direction` says whose message it is. */
  | { kind: 'deletion'; messageId: string; by?: 'administrator'; direction?: 'in' | 'out' }
  | {
      kind: 'location'
      latitude: number
      longitude: number
      name: string | null
      address: string | null
      url?: string | null
      /** A location that is shared over time. */
      live?: boolean
      text?: string | null
    }
  | { kind: 'contacts'; contacts: ContactCard[] }
  | { kind: 'media'; media: InboundMedia[]; text: string }
  /** A choice among offered buttons, rows or form fields: its text and id. */
  | {
      kind: 'choice'
      text: string
      id: string | null
      description?: string | null
      source: 'button' | 'list' | 'template' | 'flow' | 'other'
      data?: unknown
    }
  | {
      kind: 'interactive'
      text: string
      header?: string | null
      footer?: string | null
      choices: OfferedChoice[]
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
  /** Content without a shape here: shown under its type, with its text. */
  | { kind: 'unsupported'; type: string; text: string }

export type ContactCard = { name: string; phones: string[]; emails?: string[]; organization?: string | null }

export type InboundExtras = {
  forwarded?: boolean
  /** As far as the provider counts. */
  forwardScore?: number
  /** The advertisement or post from which the conversation was opened. */
  referral?: {
    sourceType: string | null
    sourceId: string | null
    url: string | null
    headline: string | null
    body: string | null
    mediaUrl: string | null
    clickId: string | null
  }
  /** Text of the answered message, as the provider quoted it. */
  quoted?: string | null
  mentions?: string[]
  /** Fields of the provider that have no place here, unchanged. */
  extra?: Record<string, string>
}

/** A message of a conversation that this product did not write. */
export type InboundEvent = {
  provider: 'baileys'
  account: string
  id: string
  /** `account/chat/direction/id`: the same for every delivery of the same message. */
  dedupeKey: string
  /** A UUIDv7 of its arrival: messages stored in another order sort correctly by it. */
  arrival?: string
  /** `out`: written on the business's own phone. */
  direction: 'in' | 'out'
  contact: WhatsAppParty
  group: string | null
  list?: string
  at: Date
  /** `history`: from before the link. */
  source: 'live' | 'history'
  replyTo: string | null
  content: InboundContent
  extras?: InboundExtras
  /** Key of the answers to this message (votes, edits, some reactions), base64; as secret as it. `findSecret` returns it. */
  secret?: string
  /** The message could not be read yet; the same `dedupeKey` comes again when it can. */
  placeholder?: boolean
}

/** What a stored message provides to decrypt an answer to it. */
export type StoredSecret = {
  secret: string
  /** Option names of a poll; null when it is not a poll. */
  options: string[] | null
}

/** Reads a message that a bridge posts in Baileys' form, as JSON; null for what is not a conversation with one person. */
export type ReadBridgeMessage = (message: unknown) => Promise<InboundEvent | null>

/** A status of a sent message. Statuses come in any order and more than once. */
export type ReceiptEvent = {
  account: string
  providerMessageId: string
  status: 'sent' | 'delivered' | 'read' | 'failed'
  errorCode: string | null
  at: Date
}

export type AccountHooks = {
  /**
   * Stores an inbound message. The receipt is sent after this resolves; when it rejects, the socket is cut and the message
   * comes again. May be called more than once for one message. Must not wait for a send of this account.
   */
  onInbound(event: InboundEvent): Promise<void>
  /**
   * Stores statuses of sent messages. A receipt is acknowledged after this resolves. A rejection is retried a few times; then
   * the socket is cut, so that WhatsApp delivers the receipts again.
   */
  onReceipts(events: ReceiptEvent[]): Promise<void>
  onStatus(status: AccountStatus): void
  /** Messages from before the link, newest last; called once per link, and again when it rejects. */
  onHistory?(events: InboundEvent[]): Promise<void>
  /** Whether this process still owns the account. Asked when another connection replaced ours. Yes when unset. */
  isOwner?(): Promise<boolean>
  /** The key that came with a stored message; null when there is none. */
  findSecret?(providerMessageId: string): Promise<StoredSecret | null>
  /** WhatsApp has a number that was written to (E.164) under the id of another number, as in Brazil, Mexico and Argentina. */
  onIdentity?(phone: string, jid: string): Promise<void>
  /** A person types, or has stopped. Nothing waits for it. */
  onTyping?(who: { phone: string | null; lid: string | null }, isTyping: boolean): void
  /** A recently sent message, by provider id, for a phone that could not decrypt it. */
  getMessage?(providerMessageId: string): Promise<OutboundMessage | null>
}

/** An account whose socket this process holds. `onStatus` receives every state. */
export interface LinkedAccount extends WhatsAppSender {
  readonly provider: 'baileys'
  status(): AccountStatus
  /** The id under which a message is sent, the same at every attempt. */
  fixedId(message: OutboundMessage): string
  start(): Promise<void>
  /** Disconnects within some two seconds; the link stays. */
  stop(reason?: string): Promise<void>
  logout(): Promise<void>
  /** @throws AppError `not_linking` unless it shows a QR code */
  requestPairingCode(phone: string): Promise<string>
  downloadMedia(url: string, maxBytes: number): Promise<{ data: Uint8Array; contentType: string }>
}

/** Options of one account; those of the installation are bound already. */
export type LinkedAccountOptions = {
  account: string
  store: AuthStore
  hooks: AccountHooks
  allowGroups: boolean
  historyLimit: number
  typingMs(text: string): number
}

export type OpenLinkedAccount = (options: LinkedAccountOptions) => LinkedAccount

export function mediaOf(content: InboundContent): InboundMedia[] {
  return 'media' in content ? (content.media ?? []) : []
}

export function withMedia(content: InboundContent, change: (file: InboundMedia) => InboundMedia): InboundContent {
  return 'media' in content && content.media ? { ...content, media: content.media.map(change) } : content
}

export const WHATSAPP_MEDIA_SCHEME = 'whatsapp-media:'
