import type { RealtimeClientEvent } from 'openai/resources/realtime/realtime'
import { type RacingEvent, racingEventId } from './race-errors.ts'
import type { RealtimeSettings } from './settings.ts'

export type Endpoint = { url: string; apiKey: string; settings: Pick<RealtimeSettings, 'model'> }

/** Why a connection ended. `retry`: whether the same engine may be tried again at once. */
export type ConnectionLoss = { code: string; message: string; retry: boolean }

const APPEND = '{"type":"input_audio_buffer.append","audio":"'

/** The WebSocket of one call. */
export class RealtimeConnection {
  readonly #socket: WebSocket
  #opened: boolean
  /** The HTTP status of a refused upgrade. */
  #refusedWith: number | null = null
  #racingEvents = 0

  /** @param warm a connection that is open already, and silent */
  constructor(
    endpoint: Endpoint,
    handlers: { onOpen(): void; onMessage(text: string): void; onLost(loss: ConnectionLoss): void },
    warm?: WebSocket,
  ) {
    this.#socket = warm ?? openSocket(endpoint)
    this.#opened = warm !== undefined
    this.#socket.onopen = () => {
      this.#opened = true
      handlers.onOpen()
    }
    this.#socket.onmessage = (event) => handlers.onMessage(String(event.data))
    this.#socket.onerror = (event) => {
      this.#refusedWith = statusOf(event)
    }
    this.#socket.onclose = (event) => handlers.onLost(this.#describeLoss(`${event.code} ${event.reason}`.trim()))
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount
  }

  send(event: RealtimeClientEvent): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event))
  }

  /** Sends an event that may cross one of the server's; an error that answers it returns its id. */
  sendRacing(event: Extract<RealtimeClientEvent, { type: RacingEvent }>): void {
    this.send({ ...event, event_id: racingEventId(event.type, ++this.#racingEvents) })
  }

  /** Appends base64 to the audio buffer: 50 times a second, so without an object in between. */
  append(base64: string): void {
    this.#socket.send(`${APPEND}${base64}"}`)
  }

  close(): void {
    this.#socket.onmessage = null
    this.#socket.close(1000)
  }

  #describeLoss(detail: string): ConnectionLoss {
    const status = this.#refusedWith
    if (this.#opened) return { code: 'engine_lost', message: `The connection closed: ${detail}`, retry: true }
    if (status === 429)
      return { code: 'engine_rate_limited', message: 'The connection was refused with status 429.', retry: false }
    return {
      code: 'engine_refused',
      message: `The connection was refused${status === null ? `: ${detail}` : ` with status ${status}.`}`,
      // A wrong key stays wrong.
      retry: status !== 401 && status !== 403,
    }
  }
}

/** Begins a connection. */
export function openSocket({ url: base, apiKey, settings }: Endpoint): WebSocket {
  const url = new URL(base)
  url.searchParams.set('model', settings.model)
  // Bun's client takes headers; the DOM's type of the same constructor does not have them.
  const options = { headers: { Authorization: `Bearer ${apiKey}` }, perMessageDeflate: false }
  return Reflect.construct(WebSocket, [url.href, options])
}

/** The HTTP status that a WebSocket was refused with; Bun has it in the message only. */
function statusOf(event: Event): number | null {
  const message = 'message' in event && typeof event.message === 'string' ? event.message : ''
  const status = /status code: (\d{3})\b/.exec(message)?.[1]
  return status === undefined ? null : Number(status)
}
