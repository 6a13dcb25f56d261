import type { Context } from 'hono'
import { requireCarrierForm } from '../verify-signature.ts'
import { twiml, type VoiceContext } from './context.ts'

/** `POST /webhook/dial_ended`: after a transfer, a caller who reached no one records a voicemail. */
export async function dialEnded(c: Context, voice: VoiceContext): Promise<Response> {
  const { params, signer } = await requireCarrierForm(c, voice.carriers)
  const { telephony } = signer
  const dial = voice.readSideFields(params)
  const answered = dial.DialCallStatus === 'completed' || dial.DialCallStatus === 'answered'
  if (answered || dial.CallStatus === 'completed') return twiml(telephony.hangUp())
  const business = voice.businessOf(c.req.query('business'), signer) ?? voice.businessCalled(dial.To, signer)
  return twiml(await voice.voicemail(telephony, business))
}

/** `POST /webhook/whisper`: the sentence that the person called hears before the caller is connected. */
export async function whisper(c: Context, voice: VoiceContext): Promise<Response> {
  const { signer } = await requireCarrierForm(c, voice.carriers)
  const business = voice.businessOf(c.req.query('business'), signer)
  return twiml(signer.telephony.playPrompt({ promptUrl: voice.promptUrl(business, 'whisper') }))
}
