import type { Context } from 'hono'
import type { BusinessEntry } from '../../../domain/businesses/index.ts'
import { attestationOf, createStreamToken, isDiverted } from '../../../domain/calls/index.ts'
import { networkPhone } from '../../../lib/phone.ts'
import { speaksFor, type Telephony } from '../../../providers/telephony/port.ts'
import { invalidSignature, requireCarrierForm, telephonyNotConfigured } from '../verify-signature.ts'
import { twiml, type VoiceContext } from './context.ts'
import { callForm } from './forms.ts'

/** The media socket refuses this token: a preview of the TwiML connects no call. */
const PREVIEW_TOKEN = 'preview'

/** `POST /webhook/incoming_call`: connects the caller to the agent, or records a voicemail. */
export async function incomingCall(c: Context, voice: VoiceContext): Promise<Response> {
  const { params, signer } = await requireCarrierForm(c, voice.carriers)
  const { telephony } = signer
  const call = { ...callForm.parse(params), ...voice.readSideFields(params) }
  const callSid = call.CallSid
  const to = call.To ?? ''
  const found = voice.directory.lookup(networkPhone(to))
  if (found.found === 'business' && !speaksFor(signer, found.business.id)) throw invalidSignature()
  if (found.found === 'unclaimed') {
    voice.log.warn({ callSid }, 'call to an unassigned number rejected')
    return twiml(telephony.sayGoodbye(await voice.promptOf(null, 'unclaimed')))
  }
  if (found.found === 'unavailable') {
    voice.log.error({ callSid, reason: 'directory_unavailable' }, 'call sent to voicemail')
    return twiml(await voice.voicemail(telephony, null))
  }
  const { business } = found
  const refused = business.blocked ? 'business_blocked' : voice.admitCall(callSid) ? null : 'no_capacity'
  await registerCall(voice, { ...call, to }, business, refused)
  if (refused) {
    voice.log.info({ callSid, reason: refused }, 'call sent to voicemail')
    return twiml(await voice.voicemail(telephony, business))
  }
  return twiml(connectToAgent(voice, { ...call, to }, business, telephony))
}

type IncomingCall = ReturnType<VoiceContext['readSideFields']> & { CallSid: string; to: string }

/** Resolves when the event is on the disk; it does not wait for the database. */
function registerCall(
  { inbox }: VoiceContext,
  call: IncomingCall,
  business: BusinessEntry,
  voicemailReason: string | null,
): Promise<void> {
  return inbox.acceptEventually(
    'call.register',
    {
      callSid: call.CallSid,
      businessId: business.id,
      from: call.From ?? 'anonymous',
      to: call.to,
      callerName: call.CallerName,
      forwardedFrom: call.ForwardedFrom,
      stirVerstat: call.StirVerstat,
      answeredBy: voicemailReason ? 'voicemail' : 'agent',
      voicemailReason,
      at: new Date().toISOString(),
    },
    { key: call.CallSid },
  )
}

function connectToAgent(voice: VoiceContext, call: IncomingCall, business: BusinessEntry, telephony: Telephony) {
  const { CallSid: callSid, to } = call
  const from = call.From ?? 'anonymous'
  voice.count('call_to_agent')
  const expected = {
    callSid,
    businessId: business.id,
    from,
    to,
    ...(attestationOf(call.StirVerstat) === 'failed' ? { unverified: true as const } : {}),
    ...(voice.carriers.of(business.id) === telephony ? {} : { viaInstallation: true as const }),
    ...(isDiverted({ from, forwardedFrom: call.ForwardedFrom }) ? { diverted: true as const } : {}),
  }
  voice.expectCall?.(expected)
  return voice.connect(telephony, createStreamToken(voice.streamSecret, expected), to)
}

/** `GET /webhook/incoming_call_preview`: the TwiML as a call would get it. */
export function incomingCallPreview(c: Context, voice: VoiceContext): Response {
  const telephony = voice.carriers.any()
  if (!telephony) throw telephonyNotConfigured()
  return twiml(voice.connect(telephony, PREVIEW_TOKEN, c.req.query('To') ?? '+972000000000'))
}
