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
  alertCall: '/webhook/alert_call',
  alertKey: '/webhook/alert_key',
  alertCallEnded: '/webhook/alert_call_ended',
  sms: '/webhook/sms',
  smsStatus: '/webhook/sms_status',
  noticeCall: '/webhook/notice_call',
  noticeKey: '/webhook/notice_key',
  noticeCallEnded: '/webhook/notice_call_ended',
  whatsappTwilio: '/webhook/whatsapp/twilio',
  whatsappStatus: '/webhook/whatsapp/status',
  whatsappBaileys: '/webhook/whatsapp/baileys',
  telegram: '/webhook/telegram',
  paypal: '/webhook/paypal',
  tranzila: '/webhook/tranzila',
  googleCalendar: '/webhook/calendars/google',
  microsoftCalendar: '/webhook/calendars/microsoft',
} as const

/** Logins at the vendors of calendars, and the feeds of appointments. */
export const CALENDARS = '/calendars'

/** Where a member stops alerts by mail; the token behind it is the permission. */
export const UNSUBSCRIBE = '/unsubscribe'

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
