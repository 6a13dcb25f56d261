export { PAYMENT_CURRENCIES, PAYMENT_PROVIDERS } from '../../../db/schema/index.ts'
export { formatMoney } from './messages.ts'
export { isPaymentBusy, type PaymentDeps } from './payment-deps.ts'
export { getPayment, getPublicPayment, listPayments, type PublicPayment, paymentFilters } from './queries.ts'
export { refundPayment } from './refund-payment.ts'
export {
  checkPayments,
  type PaymentRequest,
  paymentRequest,
  requestPayment,
} from './request-payment.ts'
export { sendReceipt } from './send-receipt.ts'
export { findNotifiers, findPaymentOf, settlePayment } from './settle-payment.ts'
export { startCheckout } from './start-checkout.ts'
export { sweepPayments } from './sweep.ts'
export { paymentDetail, paymentRequested, paymentView, refundResult } from './views.ts'
