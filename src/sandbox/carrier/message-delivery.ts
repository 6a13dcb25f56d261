import type { FaultEffect } from './faults.ts'
import type { CallbackRecord, CarrierState, MessageRecord, MessageStatus } from './state.ts'
import { newSid } from './twilio-sid.ts'
import { resolveTarget, sendWebhook, type WebhookAnswer } from './webhook-client.ts'

/** WhatsApp refuses larger media. */
const MAX_MEDIA_BYTES = 16 * 1024 * 1024

export async function postCallback(
  state: CarrierState,
  kind: CallbackRecord['kind'],
  url: string,
  params: Readonly<Record<string, string>>,
  options: { idempotencyToken?: string; signature?: string | null } = {},
): Promise<WebhookAnswer> {
  const messaging = kind === 'message_status' || kind === 'inbound_message'
  const answer = await sendWebhook({
    authToken: state.authToken,
    url,
    params,
    kind: messaging ? 'messaging' : 'voice',
    rules: state.settings.connectRules,
    ...options,
  })
  state.noteCallback({ at: new Date(), kind, url, params, status: answer.status, error: answer.error })
  if (answer.status === null || answer.status >= 400) {
    state.logger.warn({ kind, status: answer.status, reason: answer.error }, 'callback was not accepted')
  }
  return answer
}

type Step = { status: MessageStatus; errorCode: number | null; atMs: number }

/**
 * Runs a message through its statuses: `queued`, `sent`, `delivered`, `read` at the configured delays, or
 * `undelivered`/`failed` by a fault or a closed 24 hour window, each reported to the StatusCallback.
 */
export function deliverMessage(state: CarrierState, message: MessageRecord, effects: readonly FaultEffect[]): void {
  const steps = planSteps(state, message, effects)
  const lost = effects.some((effect) => effect.kind === 'callbacks_lost')
  const copies = effects.reduce((n, effect) => (effect.kind === 'callbacks_duplicated' ? effect.times : n), 1)
  const reversed = effects.some((effect) => effect.kind === 'callbacks_reversed')
  const order = reversed ? steps.toReversed() : steps
  // Two queues: slow media delays the next step, a slow callback only the next callback.
  let taken: Promise<void> = Promise.resolve()
  let reported: Promise<void> = Promise.resolve()
  for (const [index, step] of steps.entries()) {
    const report = async (): Promise<void> => {
      for (let copy = 0; copy < copies; copy += 1) await reportStatus(state, message, order[index] ?? step)
    }
    state.later(step.atMs, () => {
      taken = taken.then(async () => {
        if (step.status === 'sent') await takeMedia(state, message)
        if (message.errorCode !== null && step.errorCode === null) return
        applyStep(message, step)
        if (!lost) reported = reported.then(report)
      })
      return taken
    })
  }
}

function planSteps(state: CarrierState, message: MessageRecord, effects: readonly FaultEffect[]): Step[] {
  const delays = state.settings.statusDelaysMs
  const step = (status: MessageStatus, atMs: number, errorCode: number | null = null): Step => ({
    status,
    atMs,
    errorCode,
  })
  const queued = step('queued', delays.queued)
  const failure = effects.find((effect) => effect.kind === 'delivery_failure')
  if (failure?.status === 'failed') return [queued, step('failed', delays.sent, failure.errorCode)]
  if (isOutsideWindow(state, message)) return [queued, step('undelivered', delays.sent, 63016)]
  const sent = step('sent', delays.sent)
  if (failure) return [queued, sent, step('undelivered', delays.delivered, failure.errorCode)]
  const delivered = [queued, sent, step('delivered', delays.delivered)]
  const reads = message.to.startsWith('whatsapp:') && state.settings.sendReadReceipts
  return reads ? [...delivered, step('read', delays.read)] : delivered
}

/** Free text to a WhatsApp user who has not written within the window; a template (ContentSid) is always allowed. */
function isOutsideWindow(state: CarrierState, message: MessageRecord): boolean {
  if (!state.settings.enforceWindow || !message.to.startsWith('whatsapp:') || message.contentSid !== null) return false
  const last = state.lastInbound.get(`${message.from}|${message.to}`)
  return last === undefined || message.createdAt.getTime() - last > state.settings.windowMs
}

function applyStep(message: MessageRecord, step: Step): void {
  message.status = step.status
  message.errorCode = step.errorCode
  message.updatedAt = new Date()
  if (step.status === 'sent') message.sentAt = message.updatedAt
}

/** Fetches the message's files as Twilio does before sending; a failure ends the message as 63019. */
async function takeMedia(state: CarrierState, message: MessageRecord): Promise<void> {
  for (const url of message.mediaUrls) {
    try {
      const response = await fetch(resolveTarget(url, state.settings.connectRules), {
        signal: AbortSignal.timeout(15_000),
      })
      const bytes = await response.bytes()
      if (!response.ok) throw new Error(`media URL answered ${response.status}`)
      if (bytes.length > MAX_MEDIA_BYTES) throw new Error('media is larger than 16 MB')
      const contentType = response.headers.get('content-type') ?? 'application/octet-stream'
      message.media.push({ sid: newSid('ME'), messageSid: message.sid, contentType, bytes, createdAt: new Date() })
    } catch (error) {
      state.logger.warn({ err: error, messageSid: message.sid }, 'message media not fetched')
      const failed: Step = { status: 'undelivered', errorCode: 63019, atMs: 0 }
      applyStep(message, failed)
      if (message.statusCallback !== null) await reportStatus(state, message, failed)
      return
    }
  }
}

async function reportStatus(state: CarrierState, message: MessageRecord, step: Step): Promise<void> {
  if (message.statusCallback === null) return
  const params: Record<string, string> = {
    AccountSid: state.accountSid,
    ApiVersion: '2010-04-01',
    From: message.from,
    To: message.to,
    MessageSid: message.sid,
    MessageStatus: step.status,
    SmsSid: message.sid,
    SmsStatus: step.status,
  }
  if (message.messagingServiceSid !== null) params.MessagingServiceSid = message.messagingServiceSid
  if (step.errorCode !== null) params.ErrorCode = String(step.errorCode)
  if (message.to.startsWith('whatsapp:')) {
    params.ChannelPrefix = 'whatsapp'
    params.ChannelToAddress = message.to.replace('whatsapp:', '')
    params.StructuredMessage = 'false'
    if (step.status === 'delivered' || step.status === 'read') params.EventType = step.status.toUpperCase()
  }
  await postCallback(state, 'message_status', message.statusCallback, params)
}
