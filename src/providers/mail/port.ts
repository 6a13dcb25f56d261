export type OutboundMail = {
  /** Stays the same when it is tried again: receivers tell a repetition by it. */
  id: string
  to: string
  subject: string
  text: string
  html: string
}

/** Sends mail. */
export type Mailer = {
  /** @throws AppError `mail_refused` (invalid) when this mail is refused for good, `mail_unavailable` when it may go later */
  send(mail: OutboundMail): Promise<void>
  /** Connects and signs in, and sends nothing. @throws AppError `mail_unavailable` */
  check(): Promise<void>
}
