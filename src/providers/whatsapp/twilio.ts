import type { Twilio } from 'twilio'
import { z } from 'zod'
import { errorMessage } from '../../lib/errors.ts'
import type { OutboundMessage, SendOutcome, TemplateSource, WhatsAppSender, WhatsAppTemplate } from './port.ts'

export type TwilioWhatsAppOptions = {
  accountSid: string
  authToken: string
  apiBaseUrl: string | null
  /** URL of the status callback; our row's id is added as `?message=`. */
  statusCallbackUrl: string
}

const TIMEOUT_MS = 15_000
const MOST_TEMPLATES = 200
/** Clocks differ: messages from shortly before the attempt are included. */
const CLOCK_SKEW_MS = 120_000

/** Twilio's id of a message (Messages resource: `^(SM|MM)[0-9a-fA-F]{32}$`). */
const MESSAGE_SID = /^(SM|MM)[0-9a-f]{32}$/i

/** Certainly not accepted, and worth a retry: too many requests, and Twilio's codes for "later". */
const RETRYABLE = new Set([20429, 63018, 14107, 30001])

/**
 * WhatsApp over Twilio's Messages resource. Creating a message has no idempotency key: when the answer is lost, our message is
 * searched in the list of messages to the recipient before anything is sent again.
 */
export function createTwilioWhatsApp(options: TwilioWhatsAppOptions): WhatsAppSender & TemplateSource {
  let client: Promise<Twilio> | undefined
  const open = () => {
    // The SDK takes a quarter of a second to load: only a sending process pays for it.
    client ??= import('twilio').then(({ default: twilio }) => {
      const made = twilio(options.accountSid, options.authToken, { timeout: TIMEOUT_MS })
      if (options.apiBaseUrl) {
        made.api.baseUrl = options.apiBaseUrl
        made.content.baseUrl = options.apiBaseUrl
      }
      return made
    })
    return client
  }

  return {
    provider: 'twilio',
    async send(message) {
      if (message.reaction)
        return { outcome: 'rejected', code: 'reaction_not_supported', message: 'Twilio has no way to react.' }
      const api = await open()
      try {
        const created = await api.messages.create({
          to: `whatsapp:${message.to}`,
          from: `whatsapp:${message.account}`,
          statusCallback: `${options.statusCallbackUrl}?message=${message.id}`,
          ...contentOf(message),
        })
        // The answer is not Twilio's; only the list can tell whether Twilio got the message.
        if (!MESSAGE_SID.test(created.sid))
          return { outcome: 'unknown', code: 'garbled', message: 'The answer is not a Twilio message.' }
        return { outcome: 'accepted', providerMessageId: created.sid, status: 'queued' }
      } catch (error) {
        return outcomeOf(error)
      }
    },
    async listTemplates() {
      const api = await open()
      const listed = await api.content.v1.contentAndApprovals.list({ limit: MOST_TEMPLATES })
      return listed.flatMap((item) => templateOf(item) ?? [])
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
          return { outcome: 'unknown', code: 'garbled', message: 'The answer is not a list of Twilio messages.' }
        // Twilio makes a template's text: only recipient and time identify it.
        const ours = listed.filter(
          (item) =>
            item.direction !== 'inbound' &&
            !message.otherIds.includes(item.sid) &&
            (message.template !== undefined || item.body === (message.text ?? '')) &&
            item.dateCreated.getTime() >= message.since.getTime() - 2_000,
        )
        const [first] = ours
        if (!first) return { outcome: 'absent' }
        // Two candidates: taking either is safe for the recipient, who must not get a third.
        return { outcome: 'accepted', providerMessageId: first.sid, status: 'sent' }
      } catch (error) {
        return { outcome: 'unknown', code: 'reconcile_failed', message: errorMessage(error) }
      }
    },
  }
}

/** What is read of a ContentAndApprovals resource (Twilio, Content API). Each type of content has a text of its own. */
const contentResource = z.object({
  sid: z.string(),
  friendlyName: z.string(),
  language: z.string(),
  types: z.record(z.string(), z.looseObject({ body: z.string().optional(), title: z.string().optional() })),
  approvalRequests: z.looseObject({ status: z.string().optional() }).nullish(),
})

/** @returns null for content without a text to show */
function templateOf(item: unknown): WhatsAppTemplate | null {
  const read = contentResource.safeParse(item)
  if (!read.success) return null
  const { sid: contentSid, friendlyName: name, language, types, approvalRequests } = read.data
  const text = Object.values(types).flatMap(({ body, title }) => body ?? title ?? [])[0]
  if (text === undefined) return null
  const variables = [...new Set([...text.matchAll(/\{\{\s*([\w.-]+)\s*\}\}/g)].map(([, variable = '']) => variable))]
  return { contentSid, name, language, text, variables, approved: approvalRequests?.status === 'approved' }
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

const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ConnectionRefused', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'])

function outcomeOf(error: unknown): SendOutcome {
  const { status, code } = fieldsOf(error)
  const message = errorMessage(error)
  if (typeof status === 'number') {
    const name = String(code ?? status)
    if (status === 429 || (typeof code === 'number' && RETRYABLE.has(code)))
      return { outcome: 'retry', code: name, message, retryAfterMs: 5_000 }
    // A server error may come after the message was accepted.
    if (status >= 500) return { outcome: 'unknown', code: name, message }
    // Wrong credentials concern the installation, not the message: it waits for their correction.
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
