import type { WAMessage } from '@whiskeysockets/baileys'

type Waiting = { message: WAMessage; timer: ReturnType<typeof setTimeout> }

const WAITING_MAX = 1_000
const TRIES = 5

/** Undecryptable messages asked for again; one that is late is shown as unreadable and takes that place when it comes. */
export class UnreadableMessages {
  private readonly waiting = new Map<string, Waiting>()
  private readonly waitMs: number
  private readonly show: (message: WAMessage) => Promise<void>

  /** @param show stores the placeholder of a message; retried a few times when it rejects */
  constructor(waitMs: number, show: (message: WAMessage) => Promise<void>) {
    this.waitMs = waitMs
    this.show = show
  }

  note(message: WAMessage): void {
    const { id } = message.key
    if (!id || this.waiting.has(id) || this.waiting.size >= WAITING_MAX) return
    this.wait(id, message, 0)
  }

  /** It was read, or is not for a person. */
  resolved(id: string): void {
    clearTimeout(this.waiting.get(id)?.timer)
    this.waiting.delete(id)
  }

  /** Shows the placeholders of all waiting messages: this process ends. */
  async flush(): Promise<void> {
    const messages = [...this.waiting.values()].map(({ message }) => message)
    for (const { timer } of this.waiting.values()) clearTimeout(timer)
    this.waiting.clear()
    await Promise.allSettled(messages.map((message) => this.show(message)))
  }

  private wait(id: string, message: WAMessage, tries: number): void {
    const timer = setTimeout(() => {
      this.waiting.delete(id)
      this.show(message).catch(() => {
        if (tries < TRIES) this.wait(id, message, tries + 1)
      })
    }, this.waitMs)
    this.waiting.set(id, { message, timer })
  }
}
