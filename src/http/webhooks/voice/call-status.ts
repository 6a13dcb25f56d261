import type { Context } from 'hono'
import { requireCarrierForm, scopeOf } from '../verify-signature.ts'
import type { VoiceContext } from './context.ts'
import { statusForm } from './forms.ts'

/** `POST /webhook/call_status`: stores the carrier's status of a call. */
export async function callStatus(c: Context, voice: VoiceContext): Promise<Response> {
  const { params, signer } = await requireCarrierForm(c, voice.carriers)
  const form = statusForm.safeParse(params)
  const { CallStatus, CallDuration } = voice.readSideFields(params)
  // An incomplete status changes nothing, and a retry would not complete it.
  if (!form.success || CallStatus === null) return c.body(null, 204)
  const { CallSid } = form.data
  await voice.inbox.accept(
    'call.status',
    {
      callSid: CallSid,
      status: CallStatus,
      durationSeconds: CallDuration,
      ...scopeOf(signer),
      at: new Date().toISOString(),
    },
    { key: `${signer.telephony.accountSid}:${CallSid}:${CallStatus}` },
  )
  return c.body(null, 204)
}
