import { placeCall } from './caller.ts'
import { postCallback } from './message-delivery.ts'
import { API_ROOT, deliverAnswer, injectedError, pageOf, twilioError, twilioJson, twilioNotFound } from './rest.ts'
import { type CarrierCall, type CarrierState, newCarrierCall } from './state.ts'
import { formatRfc2822 } from './twilio-sid.ts'

const MAX_TWIML = 4000

export function callToJson(state: CarrierState, call: CarrierCall): Record<string, unknown> {
  const uri = `${API_ROOT}/Accounts/${state.accountSid}/Calls/${call.sid}`
  const seconds =
    call.endedAt === null
      ? null
      : Math.ceil((call.endedAt.getTime() - (call.answeredAt ?? call.endedAt).getTime()) / 1000)
  return {
    account_sid: state.accountSid,
    annotation: null,
    answered_by: null,
    api_version: '2010-04-01',
    caller_name: '',
    date_created: formatRfc2822(call.createdAt),
    date_updated: formatRfc2822(call.updatedAt),
    direction: call.direction,
    duration: seconds === null ? null : String(seconds),
    end_time: call.endedAt === null ? null : formatRfc2822(call.endedAt),
    forwarded_from: null,
    from: call.from,
    from_formatted: call.from,
    group_sid: null,
    parent_call_sid: call.parentSid,
    phone_number_sid: null,
    price: null,
    price_unit: 'USD',
    queue_time: '0',
    sid: call.sid,
    start_time: formatRfc2822(call.answeredAt ?? call.createdAt),
    status: call.status,
    subresource_uris: { recordings: `${uri}/Recordings.json`, streams: `${uri}/Streams.json` },
    to: call.to,
    to_formatted: call.to,
    trunk_sid: null,
    uri: `${uri}.json`,
  }
}

/** `GET /Calls/{sid}.json` and the list (filters `From`, `To`, `Status`, `ParentCallSid`). */
export async function readCalls(state: CarrierState, parts: readonly string[], url: URL): Promise<Response | null> {
  const [sid, sub] = parts
  if (sub !== undefined) return null
  const effects = state.faults.strike('calls.fetch')
  const refused = injectedError(effects)
  if (refused) return refused
  if (sid === undefined) {
    const query = url.searchParams
    const found = [...state.calls.values()]
      .filter((call) => !query.has('To') || call.to === query.get('To'))
      .filter((call) => !query.has('From') || call.from === query.get('From'))
      .filter((call) => !query.has('Status') || call.status === query.get('Status'))
      .filter((call) => !query.has('ParentCallSid') || call.parentSid === query.get('ParentCallSid'))
      .reverse()
    return pageOf('calls', found, url, (call) => callToJson(state, call))
  }
  const call = state.calls.get(sid)
  if (!call) return twilioNotFound(url.pathname.slice(API_ROOT.length))
  return deliverAnswer(twilioJson(callToJson(state, call)), effects)
}

const NUMBER = /^\+[1-9]\d{6,14}$/
const RING_MS = 100

/** `POST /Calls.json`: rings a person up, who reacts as `answers` says. Codes: 21201, 21213, 21211, 21212, 21205. */
export async function createCall(state: CarrierState, form: URLSearchParams): Promise<Response> {
  const [to, from, target] = [form.get('To') ?? '', form.get('From') ?? '', form.get('Url')]
  const effects = state.faults.strike('calls.create', to)
  const refused = injectedError(effects)
  if (refused) return refused
  if (to === '') return twilioError(400, 21201, 'No To number specified')
  if (from === '') return twilioError(400, 21213, 'Caller phone number required')
  if (!NUMBER.test(to)) return twilioError(400, 21211, `Invalid 'To' Phone Number: ${to}`)
  if (!NUMBER.test(from)) return twilioError(400, 21212, `Invalid From Number (caller ID): ${from}`)
  if (target === null || !URL.canParse(target)) return twilioError(400, 21205, `Url is not a valid URL: ${target}`)
  const { outcome, script = [] } = state.answers.get(to) ?? { outcome: 'answered' }
  const statusCallbackUrl = form.get('StatusCallback')
  if (outcome === 'answered') {
    const rule = state.settings.connectRules.find(({ publicBaseUrl }) => target.startsWith(publicBaseUrl))
    const placed = Promise.withResolvers<string>()
    const call = placeCall({
      carrier: state,
      webhookUrl: target,
      from,
      to,
      direction: 'outbound-api',
      script,
      ...(rule ? { connectBaseUrl: rule.connectBaseUrl } : {}),
      ...(statusCallbackUrl === null ? {} : { statusCallbackUrl }),
      onPlaced: placed.resolve,
    })
    call.catch((error: unknown) => {
      state.logger.error({ err: error }, 'simulated outgoing call failed')
      placed.reject(error)
    })
    const made = state.calls.get(await placed.promise)
    if (!made) throw new Error('the call was not placed')
    return deliverAnswer(twilioJson(callToJson(state, made), 201), effects)
  }
  const call = newCarrierCall(from, to, null, 'outbound-api')
  state.addCall(call)
  state.later(RING_MS, async () => {
    call.status = outcome
    call.endedAt = new Date()
    call.updatedAt = call.endedAt
    if (statusCallbackUrl === null) return
    const params = { AccountSid: state.accountSid, CallSid: call.sid, CallStatus: outcome, From: from, To: to }
    await postCallback(state, 'call_status', statusCallbackUrl, { ...params, Direction: call.direction })
  })
  return deliverAnswer(twilioJson(callToJson(state, call), 201), effects)
}

/** `POST /Calls/{sid}.json`: new TwiML, a new URL, or the end, for a call in progress (21220 otherwise). */
export async function updateCall(state: CarrierState, sid: string, form: URLSearchParams, url: URL): Promise<Response> {
  const effects = state.faults.strike('calls.update')
  const refused = injectedError(effects)
  if (refused) return refused
  const call = state.calls.get(sid)
  if (!call) return twilioNotFound(url.pathname.slice(API_ROOT.length))
  const twiml = form.get('Twiml')
  const target = form.get('Url')
  const status = form.get('Status')
  if (twiml !== null && target !== null) {
    return twilioError(400, 20001, 'Url and Twiml parameters are mutually exclusive')
  }
  if (twiml !== null && twiml.length > MAX_TWIML) return twilioError(400, 32018, 'TwiML exceeds 4000 characters')
  if (target !== null && !URL.canParse(target)) return twilioError(400, 21205, `Url is not a valid URL: ${target}`)
  if (status !== null && status !== 'completed' && status !== 'canceled') {
    return twilioError(400, 20001, `Status ${status} is not valid for an update`)
  }
  if (call.control === null || (call.status !== 'in-progress' && status === null)) {
    return twilioError(400, 21220, 'Call is not in-progress. Cannot redirect.')
  }
  if (status === 'canceled' && call.status === 'in-progress') {
    return twilioError(400, 21220, 'Call is in-progress. Cannot cancel.')
  }
  const method = form.get('Method') === 'GET' ? 'GET' : 'POST'
  if (status !== null) call.control.update({ kind: 'complete' })
  else if (twiml !== null) call.control.update({ kind: 'twiml', twiml })
  else if (target !== null) call.control.update({ kind: 'url', url: target, method })
  call.updatedAt = new Date()
  return deliverAnswer(twilioJson(callToJson(state, call)), effects)
}
