import type { Context } from 'hono'
import { z } from 'zod'
import { AppError, errorMessage } from '../../../lib/errors.ts'
import { networkPhone } from '../../../lib/phone.ts'
import { type Signer, speaksFor } from '../../../providers/telephony/port.ts'
import { invalidSignature, requireCarrierForm } from '../verify-signature.ts'
import { twiml, type VoiceContext } from './context.ts'
import { recordingForm } from './forms.ts'

/** `POST /webhook/recording_action`: ends a voicemail with a goodbye, and queues its recording if there is one. */
export async function recordingAction(c: Context, voice: VoiceContext): Promise<Response> {
  const { params, signer } = await requireCarrierForm(c, voice.carriers)
  // A silent caller leaves no recording; the call ends in the same way.
  if (params.RecordingSid)
    try {
      const job = recordingJob(voice, params, signer, c.req.query('business'))
      await voice.inbox.acceptEventually('recording.fetch', job.payload, job.options)
    } catch (error) {
      // Invalid, or of no business here: the caller hears the goodbye in any case.
      if (!(error instanceof z.ZodError) && !(error instanceof AppError && error.kind === 'not_found')) throw error
      voice.log.error({ error: errorMessage(error) }, 'recording request rejected')
    }
  const business = voice.businessOf(c.req.query('business'), signer)
  const language = z.enum(['he', 'en']).safeParse(c.req.query('language')).data
  const spoken = business && language ? { ...business, language } : business
  return twiml(signer.telephony.sayGoodbye(await voice.promptOf(spoken, 'thanks')))
}

/** `POST /webhook/recording_status`: queues a recording that is complete. */
export async function recordingStatus(c: Context, voice: VoiceContext): Promise<Response> {
  const { params, signer } = await requireCarrierForm(c, voice.carriers)
  if (params.RecordingStatus === 'absent' || params.RecordingStatus === 'in-progress') return c.body(null, 204)
  const job = recordingJob(voice, params, signer, c.req.query('business'))
  await voice.inbox.accept('recording.fetch', job.payload, job.options)
  return c.body(null, 204)
}

/** @throws ZodError; AppError `business_not_found`, `invalid_signature` */
function recordingJob(
  voice: VoiceContext,
  params: Record<string, string>,
  signer: Signer,
  business: string | undefined,
) {
  const form = { ...recordingForm.parse(params), ...voice.readSideFields(params) }
  const called = voice.directory.lookup(networkPhone(form.To ?? ''))
  const named = z.uuid().safeParse(business).data
  const businessId = named ?? (called.found === 'business' ? called.business.id : undefined)
  if (!businessId) {
    voice.log.error({ callSid: form.CallSid, recordingSid: form.RecordingSid }, 'recording of no business rejected')
    throw new AppError(
      'not_found',
      'business_not_found',
      'The recording belongs to no business of this installation. Check the number that was called.',
    )
  }
  if (!speaksFor(signer, businessId)) throw invalidSignature()
  return {
    payload: {
      businessId,
      callSid: form.CallSid,
      recordingSid: form.RecordingSid,
      accountSid: signer.telephony.accountSid,
      durationSeconds: form.RecordingDuration,
      // Twilio sends 0 when it does not know the channels.
      channels: form.RecordingChannels || null,
      at: new Date().toISOString(),
    },
    // The action and the status callback report the same recording: one job.
    options: { key: `${businessId}:${form.RecordingSid}` },
  }
}
