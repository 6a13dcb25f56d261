import type { Context } from 'hono'
import { decideAfterStream } from '../../../domain/calls/index.ts'
import { AppError, errorMessage } from '../../../lib/errors.ts'
import { withTimeout } from '../../../lib/timeout.ts'
import { readCarrierForm, scopeOf } from '../verify-signature.ts'
import { twiml, type VoiceContext } from './context.ts'
import { callForm } from './forms.ts'

const DECIDE_MS = 3_000

/** `POST /webhook/stream_ended`: what the caller hears after the stream. 204 without an effect unless the carrier signed it. */
export async function streamEnded(c: Context, voice: VoiceContext): Promise<Response> {
  const read = await readCarrierForm(c, voice.carriers).catch((error: unknown) => {
    if (error instanceof AppError) return null
    throw error
  })
  const form = callForm.safeParse(read?.params)
  if (!read?.signer || !form.success) return c.body(null, 204)
  const { signer } = read
  const { telephony } = signer
  const callSid = form.data.CallSid
  const call = voice.readSideFields(read.params)
  const called = voice.businessCalled(call.To, signer)
  // The caller hung up: no one is left to record a message.
  if (call.CallStatus === 'completed') return twiml(telephony.hangUp())
  try {
    const after = await withTimeout(
      decideAfterStream(voice.ctx, { callSid, knownReason: voice.knownEnd(callSid), ...scopeOf(signer) }),
      DECIDE_MS,
    )
    if (after.next === 'refuse') return c.body(null, 204)
    if (after.next === 'hangup') return twiml(telephony.hangUp())
    const served = after.businessId ? voice.directory.business(after.businessId) : null
    return twiml(await voice.voicemail(telephony, called && (!served || served.id === called.id) ? called : served))
  } catch (error) {
    // The call's row cannot be read: a caller who may still need help gets the voicemail.
    voice.log.error({ callSid, error: errorMessage(error) }, 'stream end decided without the call row')
    return twiml(await voice.voicemail(telephony, called))
  }
}
