/** Where a browser takes notifications (Push API, PushSubscription). Whoever has it can send to the browser. */
export type PushTarget = { endpoint: string; keys: { p256dh: string; auth: string } }

/** The keys that sign what an installation sends (VAPID, RFC 8292), base64url. */
export type PushKeys = { publicKey: string; privateKey: string }

export interface PushSender {
  makeKeys(): PushKeys
  /** Whether `send` may reach the address: a public one, unless the settings allow others. */
  isAllowed(endpoint: string): Promise<boolean>
  /**
   * Sends a message, encrypted for the browser alone (RFC 8291).
   * @returns `gone` when the browser takes none any more (404 or 410)
   * @throws AppError `push_refused`, `push_unreachable` (unavailable) when it is worth trying again; `push_forbidden` when not
   */
  send(target: PushTarget, payload: string, keys: PushKeys): Promise<'sent' | 'gone'>
}
