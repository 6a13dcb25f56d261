export type WhatsAppProviderName = 'twilio' | 'baileys'

export type OutboundMedia = { url: string; contentType?: string; fileName?: string; voice?: boolean }

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
