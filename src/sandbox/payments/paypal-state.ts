import { createSign, createVerify, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import type { Logger } from '../../lib/log.ts'
import { toDecimal } from '../../lib/money.ts'
import type { ConnectRule } from '../carrier/webhook-client.ts'
import { Deliveries, type WebhookRequest } from './deliveries.ts'
import { effectOf, type PaymentEffect, PaymentFaults } from './faults.ts'
import { Ledger, type LedgerEntry } from './ledger.ts'

export type PayPalOrder = {
  id: string
  status: 'PAYER_ACTION_REQUIRED' | 'APPROVED' | 'COMPLETED' | 'VOIDED'
  reference: string | null
  description: string
  brand: string
  amount: number
  currency: string
  returnUrl: string
  cancelUrl: string
  capture: LedgerEntry | null
  captureRequestId: string | null
  refunds: LedgerEntry[]
}

export type PayPalSettings = {
  clientId: string
  clientSecret: string
  webhookId: string
  webhookUrl: string | null
  rules: readonly ConnectRule[]
  logger: Logger
}

const newPayPalId = () =>
  Array.from(randomBytes(17), (byte) => 'ABCDEFGHJKLMNPQRSTUVWXYZ0123456789'[byte % 34]).join('')

export class PayPalState {
  readonly faults = new PaymentFaults()
  readonly ledger = new Ledger()
  readonly deliveries: Deliveries
  readonly orders = new Map<string, PayPalOrder>()
  /** `PayPal-Request-Id` → the result of the first request with it. */
  readonly madeBy = new Map<string, string>()
  readonly tokens = new Map<string, number>()
  readonly #keys: { privateKey: KeyObject; publicKey: KeyObject }
  url = ''

  /** @param beside another merchant's account at the same PayPal: it signs with the same key */
  constructor(
    readonly settings: PayPalSettings,
    beside: PayPalState | null = null,
  ) {
    this.#keys = beside ? beside.#keys : generateKeyPairSync('rsa', { modulusLength: 2048 })
    this.url = beside?.url ?? ''
    const { rules, logger } = settings
    this.deliveries = new Deliveries({ faults: this.faults, rules, retries: true, logger })
  }

  newOrder(order: Omit<PayPalOrder, 'id' | 'status' | 'capture' | 'captureRequestId' | 'refunds'>): PayPalOrder {
    const made: PayPalOrder = {
      ...order,
      id: newPayPalId(),
      status: 'PAYER_ACTION_REQUIRED',
      capture: null,
      captureRequestId: null,
      refunds: [],
    }
    this.orders.set(made.id, made)
    return made
  }

  approve(order: PayPalOrder): void {
    if (order.status !== 'PAYER_ACTION_REQUIRED') return
    order.status = 'APPROVED'
    this.notify('CHECKOUT.ORDER.APPROVED', 'checkout-order', this.orderToJson(order))
  }

  /** Money moves, or is pending, according to the effects. */
  capture(order: PayPalOrder, requestId: string | null, effects: readonly PaymentEffect[]): void {
    const wrong = effectOf(effects, 'wrong_amount')
    const pending = effectOf(effects, 'capture_pending')
    order.status = 'COMPLETED'
    order.captureRequestId = requestId
    order.capture = this.ledger.add({
      id: newPayPalId(),
      kind: 'charge',
      reference: order.reference,
      amount: wrong?.amount ?? order.amount,
      currency: wrong?.currency ?? order.currency,
      status: pending ? 'pending' : 'completed',
      chargeId: null,
    })
    this.#notifyCapture(order)
    if (pending?.outcome) {
      const { outcome } = pending
      setTimeout(() => this.decide(order, outcome), pending.afterMs)
    }
  }

  decide(order: PayPalOrder, outcome: 'completed' | 'denied'): void {
    if (order.capture?.status !== 'pending') return
    order.capture.status = outcome === 'completed' ? 'completed' : 'failed'
    this.#notifyCapture(order)
  }

  refund(order: PayPalOrder, amount: number, reference: string | null): LedgerEntry | null {
    const { capture } = order
    if (capture?.status !== 'completed') return null
    const left = capture.amount - order.refunds.reduce((sum, refund) => sum + refund.amount, 0)
    if (amount > left) return null
    const refund = this.ledger.add({
      id: newPayPalId(),
      kind: 'refund',
      reference,
      amount,
      currency: capture.currency,
      status: 'completed',
      chargeId: capture.id,
    })
    order.refunds.push(refund)
    this.notify('PAYMENT.CAPTURE.REFUNDED', 'refund', this.refundToJson(refund))
    return refund
  }

  #notifyCapture(order: PayPalOrder): void {
    if (!order.capture) return
    const status = { completed: 'COMPLETED', pending: 'PENDING', failed: 'DENIED' }[order.capture.status]
    this.notify(`PAYMENT.CAPTURE.${status}`, 'capture', {
      ...this.captureToJson(order, order.capture),
      supplementary_data: { related_ids: { order_id: order.id } },
    })
  }

  notify(type: string, resourceType: string, resource: unknown): void {
    if (this.settings.webhookUrl) this.deliveries.send(this.eventRequest(type, resourceType, resource))
  }

  eventRequest(type: string, resourceType: string, resource: unknown, forged = false): WebhookRequest {
    const body = JSON.stringify({
      id: `WH-${newPayPalId()}`,
      event_version: '1.0',
      create_time: new Date().toISOString(),
      resource_type: resourceType,
      resource_version: '2.0',
      event_type: type,
      summary: type,
      resource,
    })
    const id = crypto.randomUUID()
    const time = new Date().toISOString()
    const key = forged ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey : this.#keys.privateKey
    const signature = createSign('RSA-SHA256')
      .update(this.#signed(id, time, body))
      .sign(key, 'base64')
    return {
      url: this.settings.webhookUrl ?? '',
      headers: {
        'content-type': 'application/json',
        'paypal-auth-algo': 'SHA256withRSA',
        'paypal-cert-url': `${this.url}/v1/notifications/certs/CERT-sandbox`,
        'paypal-transmission-id': id,
        'paypal-transmission-sig': signature,
        'paypal-transmission-time': time,
      },
      body,
    }
  }

  verifies(transmission: { id: string; time: string; signature: string; webhookId: string; body: string }): boolean {
    if (transmission.webhookId !== this.settings.webhookId) return false
    return createVerify('RSA-SHA256')
      .update(this.#signed(transmission.id, transmission.time, transmission.body))
      .verify(this.#keys.publicKey, transmission.signature, 'base64')
  }

  #signed(id: string, time: string, body: string): string {
    return `${id}|${time}|${this.settings.webhookId}|${Bun.hash.crc32(body)}`
  }

  get publicKeyPem(): string {
    return String(this.#keys.publicKey.export({ type: 'spki', format: 'pem' }))
  }

  captureToJson(order: PayPalOrder, capture: LedgerEntry) {
    const back = order.refunds.reduce((sum, refund) => sum + refund.amount, 0)
    const completed = back === 0 ? 'COMPLETED' : back < capture.amount ? 'PARTIALLY_REFUNDED' : 'REFUNDED'
    return {
      id: capture.id,
      status: { completed, pending: 'PENDING', failed: 'DECLINED' }[capture.status],
      ...(capture.status === 'pending' ? { status_details: { reason: 'PENDING_REVIEW' } } : {}),
      amount: money(capture),
      final_capture: true,
      ...(capture.reference ? { custom_id: capture.reference } : {}),
      create_time: capture.at,
    }
  }

  refundToJson(refund: LedgerEntry) {
    return {
      id: refund.id,
      status: refund.status.toUpperCase(),
      amount: money(refund),
      ...(refund.reference ? { custom_id: refund.reference } : {}),
      create_time: refund.at,
      links: [{ href: `${this.url}/v2/payments/captures/${refund.chargeId}`, rel: 'up', method: 'GET' }],
    }
  }

  orderToJson(order: PayPalOrder) {
    const payments = order.capture
      ? {
          payments: {
            captures: [this.captureToJson(order, order.capture)],
            ...(order.refunds.length > 0 ? { refunds: order.refunds.map((refund) => this.refundToJson(refund)) } : {}),
          },
        }
      : {}
    return {
      id: order.id,
      intent: 'CAPTURE',
      status: order.status,
      purchase_units: [
        {
          reference_id: 'default',
          amount: money(order),
          description: order.description,
          ...(order.reference ? { custom_id: order.reference } : {}),
          ...payments,
        },
      ],
      links: [
        { href: `${this.url}/v2/checkout/orders/${order.id}`, rel: 'self', method: 'GET' },
        ...(order.status === 'PAYER_ACTION_REQUIRED'
          ? [{ href: `${this.url}/checkoutnow?token=${order.id}`, rel: 'payer-action', method: 'GET' }]
          : []),
      ],
    }
  }
}

function money({ amount, currency }: { amount: number; currency: string }) {
  return { currency_code: currency, value: toDecimal(amount) }
}
