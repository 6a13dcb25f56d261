import { z } from 'zod'
import { deliverMessage } from './message-delivery.ts'
import {
  API_ROOT,
  deliverAnswer,
  injectedError,
  matchesDate,
  pageOf,
  twilioError,
  twilioJson,
  twilioNotFound,
} from './rest.ts'
import type { CarrierState, MediaRecord, MessageRecord } from './state.ts'
import { formatRfc2822, newSid } from './twilio-sid.ts'

const ADDRESS = /^(whatsapp:)?\+[1-9]\d{6,14}$/

export function messageToJson(state: CarrierState, message: MessageRecord): Record<string, unknown> {
  const uri = `${API_ROOT}/Accounts/${state.accountSid}/Messages/${message.sid}`
  return {
    account_sid: state.accountSid,
    api_version: '2010-04-01',
    body: message.body,
    date_created: formatRfc2822(message.createdAt),
    date_sent: message.sentAt === null ? null : formatRfc2822(message.sentAt),
    date_updated: formatRfc2822(message.updatedAt),
    direction: message.direction,
    error_code: message.errorCode,
    error_message: null,
    from: message.from === '' ? null : message.from,
    messaging_service_sid: message.messagingServiceSid,
    num_media: String(message.direction === 'inbound' ? message.media.length : message.mediaUrls.length),
    num_segments: message.body === '' ? '0' : String(Math.max(1, Math.ceil(message.body.length / 153))),
    price: null,
    price_unit: null,
    sid: message.sid,
    status: message.status,
    subresource_uris: { media: `${uri}/Media.json` },
    tags: null,
    to: message.to,
    uri: `${uri}.json`,
  }
}

function mediaToJson(state: CarrierState, media: MediaRecord): Record<string, unknown> {
  return {
    account_sid: state.accountSid,
    content_type: media.contentType,
    date_created: formatRfc2822(media.createdAt),
    date_updated: formatRfc2822(media.createdAt),
    parent_sid: media.messageSid,
    sid: media.sid,
    uri: `${API_ROOT}/Accounts/${state.accountSid}/Messages/${media.messageSid}/Media/${media.sid}.json`,
  }
}

/** `POST /Messages.json`: validated as Twilio does, accepted with 201, delivered in the background. */
export async function createMessage(state: CarrierState, form: URLSearchParams): Promise<Response> {
  const to = form.get('To') ?? ''
  const effects = state.faults.strike('messages.create', to)
  const refused = injectedError(effects) ?? checkMessage(form)
  if (refused)
    return deliverAnswer(
      refused,
      effects.filter((effect) => effect.kind === 'response_delayed'),
    )
  const now = new Date()
  const service = form.get('MessagingServiceSid')
  const mediaUrls = form.getAll('MediaUrl')
  const message: MessageRecord = {
    sid: newSid(mediaUrls.length > 0 ? 'MM' : 'SM'),
    direction: 'outbound-api',
    from: form.get('From') ?? '',
    to,
    body: form.get('Body') ?? '',
    mediaUrls,
    media: [],
    contentSid: form.get('ContentSid'),
    contentVariables: form.get('ContentVariables'),
    messagingServiceSid: service,
    statusCallback: form.get('StatusCallback'),
    status: service === null ? 'queued' : 'accepted',
    errorCode: null,
    createdAt: now,
    updatedAt: now,
    sentAt: null,
  }
  state.addMessage(message)
  const answer = twilioJson(messageToJson(state, message), 201)
  deliverMessage(state, message, effects)
  return deliverAnswer(answer, effects)
}

/** Checks of message creation. Codes: 21604, 21211, 21603, 21212, 21910, 21602, 21617, 21620, 21656, 21609. */
function checkMessage(form: URLSearchParams): Response | null {
  const bad = (code: number, message: string): Response => twilioError(400, code, message)
  const to = form.get('To') ?? ''
  const from = form.get('From') ?? ''
  if (to === '') return bad(21604, "A 'To' phone number is required.")
  if (!ADDRESS.test(to)) return bad(21211, `Invalid 'To' Phone Number: ${to}`)
  if (from === '' && !form.has('MessagingServiceSid')) return bad(21603, "A 'From' phone number is required.")
  if (from !== '' && !ADDRESS.test(from)) return bad(21212, `Invalid From Number (caller ID): ${from}`)
  if (from !== '' && from.startsWith('whatsapp:') !== to.startsWith('whatsapp:')) {
    return bad(21910, "Invalid 'From' and 'To' pair. 'From' and 'To' should be of the same channel")
  }
  const body = form.get('Body') ?? ''
  if (body === '' && !form.has('MediaUrl') && !form.has('ContentSid')) return bad(21602, 'Message body is required.')
  if (body.length > 1600) {
    return bad(21617, 'The concatenated message body exceeds the 1600 character limit.')
  }
  if (form.getAll('MediaUrl').some((url) => !isHttpUrl(url))) return bad(21620, 'Invalid media URL(s)')
  const variables = form.get('ContentVariables')
  if (variables !== null && !isJsonObject(variables)) return bad(21656, 'The ContentVariables parameter is invalid.')
  const callback = form.get('StatusCallback')
  if (callback !== null && !isHttpUrl(callback)) return bad(21609, "The 'StatusCallback' URL is not a valid URL.")
  return null
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}

const jsonObject = z.record(z.string(), z.unknown())

function isJsonObject(text: string): boolean {
  try {
    return jsonObject.safeParse(JSON.parse(text)).success
  } catch {
    return false
  }
}

/** `GET /Messages/{sid}.json` and its list, media included; null for any other path. */
export async function readMessages(state: CarrierState, parts: readonly string[], url: URL): Promise<Response | null> {
  const [first, sub, last] = parts
  if (first === undefined) {
    const effects = state.faults.strike('messages.list')
    const query = url.searchParams
    const found = [...state.messages.values()]
      .filter((message) => !query.has('To') || message.to === query.get('To'))
      .filter((message) => !query.has('From') || message.from === query.get('From'))
      .filter((message) => matchesDate(message.sentAt ?? message.createdAt, query, 'DateSent'))
      .reverse()
    return (
      injectedError(effects) ??
      deliverAnswer(
        pageOf('messages', found, url, (message) => messageToJson(state, message)),
        effects,
      )
    )
  }
  const message = state.messages.get(first)
  if (!message) return twilioNotFound(url.pathname.slice(API_ROOT.length))
  if (sub === undefined) {
    const effects = state.faults.strike('messages.fetch', message.to)
    return injectedError(effects) ?? deliverAnswer(twilioJson(messageToJson(state, message)), effects)
  }
  if (sub !== 'Media') return null
  if (last === undefined) return pageOf('media_list', message.media, url, (media) => mediaToJson(state, media))
  const effects = state.faults.strike('media')
  const refused = injectedError(effects)
  if (refused) return refused
  const media = message.media.find((each) => each.sid === last)
  if (!media) return twilioNotFound(url.pathname.slice(API_ROOT.length))
  if (url.pathname.endsWith('.json')) return twilioJson(mediaToJson(state, media))
  return deliverAnswer(
    new Response(media.bytes.slice(), { headers: { 'Content-Type': media.contentType, ETag: `"${media.sid}"` } }),
    effects,
  )
}

/** `DELETE` of a message or of one of its files: 204, then 404. */
export function deleteMessages(state: CarrierState, parts: readonly string[], url: URL): Response {
  const [first = '', sub, last] = parts
  const message = state.messages.get(first)
  if (message && sub === undefined) {
    state.messages.delete(first)
    return new Response(null, { status: 204 })
  }
  const index = sub === 'Media' ? (message?.media.findIndex((media) => media.sid === last) ?? -1) : -1
  if (!message || index < 0) return twilioNotFound(url.pathname.slice(API_ROOT.length))
  message.media.splice(index, 1)
  return new Response(null, { status: 204 })
}
