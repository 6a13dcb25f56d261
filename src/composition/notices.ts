import { publicUrl, WEBHOOKS } from '../access/urls.ts'
import type { Config } from '../config.ts'
import type { NoticeDeps } from '../domain/appointments/index.ts'
import type { Carriers } from '../providers/telephony/port.ts'

/** What customers are notified of their appointments with, of what this installation has. */
export function createNotices(
  { publicBaseUrl }: Config,
  { carriers, ...rest }: Pick<NoticeDeps, 'bookingLinks' | 'payments' | 'messages'> & { carriers: Carriers },
): NoticeDeps {
  const urlOf = (path: string) => (businessId: string, noticeId: string) =>
    publicUrl(publicBaseUrl, `${path}?business=${businessId}&notice=${noticeId}`)
  return {
    ...rest,
    carrierOf: carriers.of,
    links: {
      call: urlOf(WEBHOOKS.noticeCall),
      key: urlOf(WEBHOOKS.noticeKey),
      callEnded: urlOf(WEBHOOKS.noticeCallEnded),
      textStatus: urlOf(WEBHOOKS.smsStatus),
    },
  }
}
