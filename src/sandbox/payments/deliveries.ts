import { errorMessage } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { type ConnectRule, resolveTarget } from '../carrier/webhook-client.ts'
import { effectOf, type PaymentFaults } from './faults.ts'

export type Delivery = { url: string; body: string; status: number | null; attempt: number; error: string | null }

export type WebhookRequest = { url: string; headers: Record<string, string>; body: string }

/** PayPal retries for three days; the simulation for half a minute. */
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000, 16_000]
const TIMEOUT_MS = 10_000

export class Deliveries {
  readonly log: Delivery[] = []
  #stopped = false

  constructor(
    readonly options: { faults: PaymentFaults; rules: readonly ConnectRule[]; retries: boolean; logger: Logger },
  ) {}

  stop(): void {
    this.#stopped = true
  }

  send(request: WebhookRequest): void {
    const effects = this.options.faults.strike('webhook')
    if (effectOf(effects, 'webhook_lost')) return
    const times = effectOf(effects, 'webhook_duplicated')?.times ?? 1
    const delay = effectOf(effects, 'webhook_delayed')?.ms ?? 0
    for (let copy = 0; copy < times; copy += 1)
      this.#deliver(request, delay).catch((error: unknown) =>
        this.options.logger.error({ error: errorMessage(error) }, 'webhook not sent'),
      )
  }

  async #deliver(request: WebhookRequest, delayMs: number): Promise<void> {
    if (delayMs > 0) await Bun.sleep(delayMs)
    for (let attempt = 1; !this.#stopped; attempt += 1) {
      const delivery = await this.sendOnce(request, attempt)
      const pause = RETRY_MS[attempt - 1]
      const taken = delivery.status !== null && delivery.status >= 200 && delivery.status < 300
      if (taken || !this.options.retries || pause === undefined) return
      await Bun.sleep(pause)
    }
  }

  async sendOnce(request: WebhookRequest, attempt = 1): Promise<Delivery> {
    const delivery: Delivery = { url: request.url, body: request.body, status: null, attempt, error: null }
    this.log.push(delivery)
    try {
      const response = await fetch(resolveTarget(request.url, this.options.rules), {
        method: 'POST',
        headers: request.headers,
        body: request.body,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      await response.text()
      delivery.status = response.status
    } catch (error) {
      delivery.error = errorMessage(error)
    }
    return delivery
  }
}
