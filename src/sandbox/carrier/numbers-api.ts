import { API_ROOT, deliverAnswer, injectedError, pageOf, twilioError, twilioJson, twilioNotFound } from './rest.ts'
import type { CarrierState, NumberRecord } from './state.ts'
import { formatRfc2822, newSid } from './twilio-sid.ts'

/** The fields of an update by form name, with their keys in the record. */
const ADDRESSES = {
  VoiceUrl: 'voiceUrl',
  VoiceFallbackUrl: 'voiceFallbackUrl',
  StatusCallback: 'statusCallback',
  SmsUrl: 'smsUrl',
  SmsFallbackUrl: 'smsFallbackUrl',
} as const
const METHODS = {
  VoiceMethod: 'voiceMethod',
  VoiceFallbackMethod: 'voiceFallbackMethod',
  StatusCallbackMethod: 'statusCallbackMethod',
  SmsMethod: 'smsMethod',
  SmsFallbackMethod: 'smsFallbackMethod',
} as const

/** Adds a number to the account; its webhooks are empty unless given. */
export function addNumber(state: CarrierState, phoneNumber: string, given: Partial<NumberRecord> = {}): NumberRecord {
  const now = new Date()
  const number: NumberRecord = {
    sid: newSid('PN'),
    phoneNumber,
    friendlyName: phoneNumber,
    voiceUrl: '',
    voiceMethod: 'POST',
    voiceFallbackUrl: '',
    voiceFallbackMethod: 'POST',
    voiceApplicationSid: '',
    statusCallback: '',
    statusCallbackMethod: 'POST',
    smsUrl: '',
    smsMethod: 'POST',
    smsFallbackUrl: '',
    smsFallbackMethod: 'POST',
    trunkSid: null,
    createdAt: now,
    updatedAt: now,
    ...given,
  }
  state.numbers.set(number.sid, number)
  return number
}

/** A number as the API shows it (Twilio REST, IncomingPhoneNumber resource). */
export function numberToJson(state: CarrierState, number: NumberRecord): Record<string, unknown> {
  const uri = `${API_ROOT}/Accounts/${state.accountSid}/IncomingPhoneNumbers/${number.sid}`
  return {
    account_sid: state.accountSid,
    address_requirements: 'none',
    address_sid: null,
    api_version: '2010-04-01',
    beta: false,
    bundle_sid: null,
    capabilities: { voice: true, sms: true, mms: false, fax: false },
    date_created: formatRfc2822(number.createdAt),
    date_updated: formatRfc2822(number.updatedAt),
    emergency_address_sid: null,
    emergency_address_status: 'unregistered',
    emergency_status: 'Active',
    friendly_name: number.friendlyName,
    identity_sid: null,
    origin: 'twilio',
    phone_number: number.phoneNumber,
    sid: number.sid,
    sms_application_sid: '',
    sms_fallback_method: number.smsFallbackMethod,
    sms_fallback_url: number.smsFallbackUrl,
    sms_method: number.smsMethod,
    sms_url: number.smsUrl,
    status: 'in-use',
    status_callback: number.statusCallback,
    status_callback_method: number.statusCallbackMethod,
    subresource_uris: { assigned_add_ons: `${uri}/AssignedAddOns.json` },
    trunk_sid: number.trunkSid,
    type: 'local',
    uri: `${uri}.json`,
    voice_application_sid: number.voiceApplicationSid,
    voice_caller_id_lookup: false,
    voice_fallback_method: number.voiceFallbackMethod,
    voice_fallback_url: number.voiceFallbackUrl,
    voice_method: number.voiceMethod,
    voice_receive_mode: 'voice',
    voice_url: number.voiceUrl,
  }
}

/** `GET /IncomingPhoneNumbers…`: one number, or the list with the filters `PhoneNumber` (a part will do) and `FriendlyName`. */
export async function readNumbers(state: CarrierState, parts: readonly string[], url: URL): Promise<Response | null> {
  const [sid, sub] = parts
  if (sub !== undefined) return null
  const effects = state.faults.strike('numbers')
  const refused = injectedError(effects)
  if (refused) return refused
  if (sid === undefined) {
    const part = url.searchParams.get('PhoneNumber')?.replace(/[^\d*]/g, '')
    const name = url.searchParams.get('FriendlyName')
    const found = [...state.numbers.values()]
      .filter((number) => !part || number.phoneNumber.includes(part.replaceAll('*', '')))
      .filter((number) => name === null || number.friendlyName === name)
      .reverse()
    return pageOf('incoming_phone_numbers', found, url, (number) => numberToJson(state, number))
  }
  const number = state.numbers.get(sid)
  if (!number) return twilioNotFound(url.pathname.slice(API_ROOT.length))
  return deliverAnswer(twilioJson(numberToJson(state, number)), effects)
}

/** `POST /IncomingPhoneNumbers/{sid}.json`: addresses and methods of the webhooks; 21402 and 21403 for what is none. */
export async function updateNumber(
  state: CarrierState,
  sid: string,
  form: URLSearchParams,
  url: URL,
): Promise<Response> {
  const effects = state.faults.strike('numbers.update')
  const refused = injectedError(effects)
  if (refused) return refused
  const number = state.numbers.get(sid)
  if (!number) return twilioNotFound(url.pathname.slice(API_ROOT.length))
  const changed = { ...number }
  for (const [field, key] of Object.entries(ADDRESSES)) {
    const value = form.get(field)
    if (value === null) continue
    // An empty one unsets it.
    if (value !== '' && !/^https?:$/.test(URL.parse(value)?.protocol ?? ''))
      return twilioError(400, 21402, `${field} is not a valid URL: ${value}`)
    changed[key] = value
  }
  for (const [field, key] of Object.entries(METHODS)) {
    const value = form.get(field)
    if (value === null) continue
    if (value !== 'GET' && value !== 'POST') return twilioError(400, 21403, `${field} is not a valid method: ${value}`)
    changed[key] = value
  }
  changed.friendlyName = form.get('FriendlyName') ?? changed.friendlyName
  changed.voiceApplicationSid = form.get('VoiceApplicationSid') ?? changed.voiceApplicationSid
  const trunk = form.get('TrunkSid')
  if (trunk !== null) changed.trunkSid = trunk === '' ? null : trunk
  changed.updatedAt = new Date()
  state.numbers.set(sid, changed)
  return deliverAnswer(twilioJson(numberToJson(state, changed)), effects)
}
