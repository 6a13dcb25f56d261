import { type AlertLinks, placeIn } from '../../src/domain/alerts/index.ts'

const url = (path: string) => `http://localhost:5000${path}`
const ofCall = (path: string) => (business: string, delivery: string) =>
  url(`${path}?business=${business}&delivery=${delivery}`)

export const alertLinks: AlertLinks = {
  console: (business, place, id) => url(`/console/${placeIn(business, place, id)}`),
  unsubscribe: (businessId, userId) => url(`/unsubscribe/${businessId}.${userId}`),
  call: ofCall('/webhook/alert_call'),
  callEnded: ofCall('/webhook/alert_call_ended'),
  textStatus: ofCall('/webhook/sms_status'),
  telegram: (channelId) => url(`/webhook/telegram/${channelId}`),
}
