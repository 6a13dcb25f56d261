import type { Telephony } from '../../providers/telephony/port.ts'
import type { SendSettings } from '../messages/index.ts'
import type { PaymentDeps } from '../payments/index.ts'
import type { BookingLinks } from './booking-links.ts'

/** What customers are notified with. */
export type NoticeDeps = {
  messages: SendSettings
  bookingLinks: BookingLinks
  payments: PaymentDeps
  /** The carrier account of a business; null where it has none. */
  carrierOf(businessId: string): Telephony | null
  links: NoticeLinks
}

/** Where the carrier asks what to say, and tells how it ended. */
export type NoticeLinks = {
  call(businessId: string, noticeId: string): string
  key(businessId: string, noticeId: string): string
  callEnded(businessId: string, noticeId: string): string
  textStatus(businessId: string, noticeId: string): string
}
