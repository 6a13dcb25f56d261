export type OutboundMail = {
  /** The same for every attempt: receivers recognise a repetition by it. */
  id: string
  to: string
  subject: string
  text: string
  html: string
  /** Where a receiver unsubscribes with one POST (RFC 8058). */
  unsubscribe?: string
}

export type Mailer = {
  /**
   * @throws AppError `mail_refused` (invalid) when this mail is refused permanently, `mail_unavailable` when it may be
   * accepted later; `mail_unknown` (unavailable) when the server took it and did not answer: it may be on its way
   */
  send(mail: OutboundMail): Promise<void>
  /** Connects and signs in without sending. @throws AppError `mail_unavailable` */
  check(): Promise<void>
}
