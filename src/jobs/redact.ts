const OPEN_FIELDS = new Set(
  [
    'inboundEventId businessId messageId mediaId turnId recordingId importId deletionId endpointId eventId accountId paymentId',
    'appointmentId callSid streamSid recordingSid provider providerMessageId status event kind role index answeredBy',
    'reason durationMs durationSeconds channels startMs endMs heardMs interrupted at untranscribed attempt',
  ]
    .join(' ')
    .split(' '),
)

export function redactPayload(payload: unknown): unknown {
  if (Array.isArray(payload)) return `[${payload.length} hidden]`
  if (payload === null || typeof payload !== 'object') return payload === undefined ? undefined : '[hidden]'
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => [
      name,
      value === null || (OPEN_FIELDS.has(name) && typeof value !== 'object') ? value : hide(value),
    ]),
  )
}

function hide(value: unknown): string {
  if (typeof value === 'string') return `[hidden, ${value.length} characters]`
  if (Array.isArray(value)) return `[hidden, ${value.length} items]`
  return '[hidden]'
}

export function redactReason(reason: string, maxLength = 500): string {
  return reason
    .replace(/[\w.+-]+@[\w-]+\.[\w.-]+/g, '[e-mail]')
    .replace(/\b(Bearer|Basic)\s+\S+/gi, '$1 [hidden]')
    .replace(/\b(al|sk|whsec)_[\w-]+/g, '$1_[hidden]')
    .replace(/(:\/\/)[^/\s:@]+:[^/\s@]+@/g, '$1[hidden]@')
    .replace(/\+?\d[\d\s-]{7,}\d/g, (digits) => `…${digits.replace(/\D/g, '').slice(-3)}`)
    .slice(0, maxLength)
}
