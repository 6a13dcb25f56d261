import { Hono } from 'hono'
import { WEBHOOKS } from '../../../access/urls.ts'
import { callStatus } from './call-status.ts'
import { createVoiceContext, type VoiceWebhookDeps } from './context.ts'
import { incomingCall, incomingCallPreview } from './incoming-call.ts'
import { recordingAction, recordingStatus } from './recording.ts'
import { streamEnded } from './stream-ended.ts'
import { dialEnded, whisper } from './transfer.ts'

/** The voice webhooks: verify, parse, answer. Everything else is done by jobs. */
export function createVoiceWebhooks(deps: VoiceWebhookDeps): Hono {
  const voice = createVoiceContext(deps)
  const app = new Hono()
  app.post(WEBHOOKS.incomingCall, (c) => incomingCall(c, voice))
  app.get(WEBHOOKS.incomingCallPreview, (c) => incomingCallPreview(c, voice))
  app.post(WEBHOOKS.streamEnded, (c) => streamEnded(c, voice))
  app.post(WEBHOOKS.dialEnded, (c) => dialEnded(c, voice))
  app.post(WEBHOOKS.whisper, (c) => whisper(c, voice))
  app.post(WEBHOOKS.callStatus, (c) => callStatus(c, voice))
  app.post(WEBHOOKS.recordingAction, (c) => recordingAction(c, voice))
  app.post(WEBHOOKS.recordingStatus, (c) => recordingStatus(c, voice))
  return app
}
