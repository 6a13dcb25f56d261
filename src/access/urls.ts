export const WEBHOOKS = {
  incomingCall: '/webhook/incoming_call',
  incomingCallPreview: '/webhook/incoming_call_preview',
  streamStatus: '/webhook/stream_status',
  dialEnded: '/webhook/dial_ended',
  whisper: '/webhook/whisper',
  streamEnded: '/webhook/stream_ended',
  callStatus: '/webhook/call_status',
  recordingAction: '/webhook/recording_action',
  recordingStatus: '/webhook/recording_status',
  whatsappTwilio: '/webhook/whatsapp/twilio',
  whatsappStatus: '/webhook/whatsapp/status',
  whatsappBaileys: '/webhook/whatsapp/baileys',
  paypal: '/webhook/paypal',
  tranzila: '/webhook/tranzila',
} as const

/** Where providers fetch files that were uploaded to be sent. */
export const UPLOADED_FILES = '/files'

export const MEDIA_SOCKET = '/ws/twilio-media'
export const TEST_CALL_SOCKET = '/ws/test-call'

export function publicUrl(base: string, path: string): string {
  return `${base.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`
}

/** The URL of the media socket. Twilio accepts `wss` only, without a query (TwiML <Stream>). */
export function publicSocketUrl(base: string): string {
  return publicUrl(base, MEDIA_SOCKET).replace(/^https?:/, 'wss:')
}
