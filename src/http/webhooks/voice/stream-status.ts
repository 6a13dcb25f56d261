import { errorMessage } from '../../../lib/errors.ts'
import { withTimeout } from '../../../lib/timeout.ts'
import { readSigned, scopeOf } from '../verify-signature.ts'
import type { VoiceWebhookDeps } from './context.ts'
import { createSideFieldReader, streamForm } from './forms.ts'

const READ_MS = 1_000

/** `/webhook/stream_status`, before any middleware: always a fast 204. Signed bodies are stored, unsigned ones counted. */
export function createStreamStatusHandler(
  deps: Pick<VoiceWebhookDeps, 'carriers' | 'inbox' | 'count' | 'log'>,
): (request: Request) => Promise<Response> {
  const noContent = () => new Response(null, { status: 204 })
  const readSideFields = createSideFieldReader(deps)
  return async (request) => {
    if (request.method !== 'POST') return new Response(null, { status: 405, headers: { Allow: 'POST' } })
    try {
      const { params, signer } = await withTimeout(readSigned(request, deps.carriers), READ_MS)
      deps.count(signer ? 'stream_status_signed' : 'stream_status_unsigned')
      const form = streamForm.safeParse(params)
      if (!signer || !form.success) return noContent()
      const { CallSid: callSid, StreamSid: streamSid } = form.data
      const { StreamEvent: event, StreamError: error } = readSideFields(params)
      if (event === null) return noContent()
      if (event === 'stream-error')
        deps.log.warn({ callSid, streamSid, event, error }, 'carrier reported a stream error')
      await deps.inbox.acceptEventually(
        'call.stream_event',
        { callSid, streamSid, event, error, ...scopeOf(signer), at: new Date().toISOString() },
        { key: `${signer.telephony.accountSid}:${streamSid}:${event}` },
      )
    } catch (error) {
      // Too large, cut off or too slow: the carrier gets its 204 in any case.
      deps.count('stream_status_unsigned')
      deps.log.debug({ error: errorMessage(error) }, 'stream status not readable')
    }
    return noContent()
  }
}
