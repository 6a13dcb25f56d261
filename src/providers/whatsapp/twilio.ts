import type { Twilio } from 'twilio'
import { errorMessage } from '../../lib/errors.ts'
import type { OutboundMessage, SendOutcome, WhatsAppSender } from './port.ts'

export type TwilioWhatsAppOptions = {
  accountSid: string
  authToken: string
  apiBaseUrl: string | null
  /** Where Twilio tells statuses; our row's id is added as `?message=`. */
  statusCallbackUrl: string
}

const TIMEOUT_MS = 15_000
/** Clocks differ: messages from a little before the attempt are looked at too. */
const CLOCK_SKEW_MS = 120_000

/** Twilio's id of a message (Messages resource: `^(SM|MM)[0-9a-fA-F]{32}$`). */
const MESSAGE_SID = /^(SM|MM)[0-9a-f]{32}$/i

/** Surely not taken, and worth another try: too many requests, and Twilio's own word for "later". */
const RETRYABLE = new Set([20429, 63018, 14107, 30001])

/**
 * WhatsApp over Twilio's Messages resource. Creating a message has no idempotency key: when the answer is lost, the list
 * of messages to the recipient since then is searched for ours before anything is sent again.
 */
export function createTwilioWhatsApp(options: TwilioWhatsAppOptions): WhatsAppSender {
  let client: Promise<Twilio> | undefined
  const open = () => {
    // The SDK takes a quarter of a second to load: only the process that sends pays for it.
    client ??= import('twilio').then(({ default: twilio }) => {
      const made = twilio(options.accountSid, options.authToken, { timeout: TIMEOUT_MS })
      if (options.apiBaseUrl) made.api.baseUrl = options.apiBaseUrl
      return made
    })
    return client
  }

  return {
    provider: 'twilio',
    async send(message) {
      const api = await open()
      try {
        const created = await api.messages.create({
          to: `whatsapp:${message.to}`,
          from: `whatsapp:${message.account}`,
          statusCallback: `${options.statusCallbackUrl}?message=${message.id}`,
          ...contentOf(message),
        })
        // Something answered for Twilio; whether Twilio got the message, only its list can tell.
        if (!MESSAGE_SID.test(created.sid))
          return { outcome: 'unknown', code: 'garbled', message: 'The answer is no message of Twilio’s.' }
        return { outcome: 'accepted', providerMessageId: created.sid, status: 'queued' }
      } catch (error) {
        return outcomeOf(error)
      }
    },
    async reconcile(message) {
      const api = await open()
      try {
        const listed = await api.messages.list({
          to: `whatsapp:${message.to}`,
          from: `whatsapp:${message.account}`,
          dateSentAfter: new Date(message.since.getTime() - CLOCK_SKEW_MS),
          limit: 200,
        })
        if (listed.some((item) => !MESSAGE_SID.test(item.sid) || Number.isNaN(item.dateCreated?.getTime())))
          return { outcome: 'unknown', code: 'garbled', message: 'The answer is no list of Twilio’s.' }
        // A template's text is made by Twilio: there only the recipient and the time tell.
        const ours = listed.filter(
          (item) =>
            item.direction !== 'inbound' &&
            !message.otherIds.includes(item.sid) &&
            (message.template !== undefined || item.body === (message.text ?? '')) &&
            item.dateCreated.getTime() >= message.since.getTime() - 2_000,
        )
        const [first] = ours
        if (!first) return { outcome: 'absent' }
        // Two that look alike: taking either is safe for the recipient, who must not get a third.
        return { outcome: 'accepted', providerMessageId: first.sid, status: 'sent' }
      } catch (error) {
        return { outcome: 'unknown', code: 'reconcile_failed', message: errorMessage(error) }
      }
    },
  }
}

function contentOf(message: OutboundMessage) {
  if (message.template)
    return {
      contentSid: message.template.contentSid,
      contentVariables: JSON.stringify(message.template.variables),
    }
  return {
    ...(message.text ? { body: message.text } : {}),
    ...(message.media?.length ? { mediaUrl: message.media.map((item) => item.url) } : {}),
  }
}

/** Nothing left this machine. */
const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ConnectionRefused', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'])

function outcomeOf(error: unknown): SendOutcome {
  const { status, code } = fieldsOf(error)
  const message = errorMessage(error)
  if (typeof status === 'number') {
    const name = String(code ?? status)
    if (status === 429 || (typeof code === 'number' && RETRYABLE.has(code)))
      return { outcome: 'retry', code: name, message, retryAfterMs: 5_000 }
    // A server error may come after the message was taken.
    if (status >= 500) return { outcome: 'unknown', code: name, message }
    // Wrong credentials are the installation's fault, not the message's: it waits until they are mended.
    if (status === 401) return { outcome: 'retry', code: name, message, retryAfterMs: 60_000 }
    return { outcome: 'rejected', code: name, message }
  }
  if (typeof code === 'string' && NEVER_CONNECTED.has(code))
    return { outcome: 'retry', code, message, retryAfterMs: 5_000 }
  return { outcome: 'unknown', code: typeof code === 'string' ? code : 'no_answer', message }
}

function fieldsOf(error: unknown): { status?: unknown; code?: unknown } {
  return typeof error === 'object' && error !== null ? error : {}
}
