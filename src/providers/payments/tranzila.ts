import { createHmac, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { toDecimal } from '../../lib/money.ts'
import { callProvider, unexpectedAnswer } from './call.ts'
import type { Charge, CheckoutRequest, Currency, PaymentProvider, WebhookPointer } from './port.ts'

export type TranzilaOptions = {
  /** The terminal's name: it decides whether money moves, there is no test host. */
  terminal: string
  appKey: string
  secret: string
  apiBaseUrl: string
  reportBaseUrl: string
  payBaseUrl: string
  /** The name of a business's own account, its terminal; unset for the installation's. */
  account?: string
  now?: () => number
}

/** A handshake is valid for some 20 minutes; a page opened at the end must still work. */
const HANDSHAKE_LIFE_MS = 18 * 60_000
/** Tranzila's currency numbers. The euro's is not documented, so it is not offered. */
const CURRENCY_CODES: Partial<Record<Currency, string>> = { ILS: '1', USD: '2' }
const DAY_MS = 24 * 3_600_000
const PAGE_SIZE = 100
/** The user-defined field with our id; the terminal must have one of this API name. */
export const TRANZILA_PAYMENT_FIELD = 'payment_id'

const handshakeBody = z.looseObject({ error_code: z.coerce.number(), thtk: z.string().optional() })
const rowBody = z.looseObject({
  index: z.coerce.string(),
  amount: z.coerce.number(),
  currency: z.coerce.string(),
  processor_response_code: z.coerce.string(),
  txn_type: z.string().default(''),
  tranmode: z.string().optional(),
})
type ReportRow = z.infer<typeof rowBody>
const reportBody = z.looseObject({ transactions: z.array(rowBody) })
const notifyForm = z.looseObject({
  [TRANZILA_PAYMENT_FIELD]: z.uuid(),
  index: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional(),
})

/**
 * Tranzila: handshake, hosted page, transactions report. The handshake locks the sum only, and the customer can edit the
 * page's address: the report is checked for currency, kind and mode. Source: Tranzila's pages on authentication, handshake v2,
 * iframe integration and the transaction reports API.
 */
export function createTranzila(options: TranzilaOptions): PaymentProvider {
  const { terminal, appKey, secret } = options
  const now = options.now ?? Date.now
  const base = (url: string) => url.replace(/\/+$/, '')

  async function call(url: string, body: Record<string, unknown>) {
    const time = String(Math.floor(now() / 1_000))
    const nonce = randomBytes(40).toString('hex')
    return callProvider('Tranzila', url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-tranzila-api-app-key': appKey,
        'x-tranzila-api-request-time': time,
        'x-tranzila-api-nonce': nonce,
        'x-tranzila-api-access-token': createHmac('sha256', secret + time + nonce)
          .update(appKey)
          .digest('hex'),
      },
      body: JSON.stringify({ terminal_name: terminal, ...body }),
    })
  }

  async function report(body: Record<string, unknown>) {
    const { status, json } = await call(`${base(options.reportBaseUrl)}/v1/transaction`, body)
    const parsed = reportBody.safeParse(json)
    if (status !== 200 || !parsed.success) throw unexpectedAnswer('Tranzila', 'a report', status, parsed.error)
    return parsed.data.transactions
  }

  async function reportPages(paymentId: string, since: Date): Promise<ReportRow[]> {
    const rows: ReportRow[] = []
    for (let page = 1; ; page += 1) {
      const found = await report({
        transaction_start_date: dayOf(since.getTime() - DAY_MS),
        transaction_end_date: dayOf(now() + DAY_MS),
        page,
        page_results: PAGE_SIZE,
        ufields: [{ name: TRANZILA_PAYMENT_FIELD, operator: 'equals', value: paymentId }],
      })
      rows.push(...found)
      if (found.length < PAGE_SIZE) return rows
    }
  }

  return {
    name: 'tranzila',
    currencies: ['ILS', 'USD'],
    account: options.account ?? null,

    async check() {
      await report({
        transaction_start_date: dayOf(now()),
        transaction_end_date: dayOf(now()),
        page: 1,
        page_results: 1,
      })
    },

    async createCheckout(request) {
      const currency = CURRENCY_CODES[request.currency]
      if (!currency)
        throw new AppError('invalid', 'currency_not_supported', `Tranzila does not take ${request.currency} here.`)
      const sum = toDecimal(request.amount)
      const { status, json } = await call(`${base(options.apiBaseUrl)}/v2/handshake/create`, { sum: Number(sum) })
      const parsed = handshakeBody.safeParse(json)
      if (status !== 200 || !parsed.success) throw unexpectedAnswer('Tranzila', 'a handshake', status, parsed.error)
      const { thtk, error_code } = parsed.data
      if (error_code !== 0 || !thtk)
        throw new AppError('conflict', 'payment_provider_refused', `Tranzila refused the handshake (${error_code}).`)
      const url = new URL(`${base(options.payBaseUrl)}/${encodeURIComponent(terminal)}/iframenew.php`)
      url.search = new URLSearchParams(pageFields(request, { sum, currency, thtk })).toString()
      return { ref: thtk, url: url.href, expiresAt: new Date(now() + HANDSHAKE_LIFE_MS) }
    },

    async inspect({ paymentId, transactionId, since }) {
      const index = transactionId === null ? Number.NaN : Number(transactionId)
      const rows = Number.isSafeInteger(index)
        ? await report({ transaction_index: index })
        : await reportPages(paymentId, since)
      // A report about an index or our id may hold other rows: only those with our id count.
      const charges = rows.filter((row) => ourIdOf(row) === paymentId).flatMap((row) => chargeOf(row, terminal))
      return { checkouts: [], charges, refunds: [] }
    },

    capture: null,
    refund: null,

    peekWebhook: pointerOf,
    // Unsigned: the body is a pointer, and the report is asked.
    readWebhook: async ({ body }) => pointerOf(body),
  }
}

function pageFields(
  request: CheckoutRequest,
  locked: { sum: string; currency: string; thtk: string },
): Record<string, string> {
  return {
    ...locked,
    cred_type: '1',
    tranmode: 'A',
    new_process: '1',
    lang: request.language === 'he' ? 'il' : 'us',
    pdesc: request.description,
    ...(request.currency === 'ILS' ? { bit_pay: '1' } : {}),
    success_url_address: request.returnUrl,
    fail_url_address: request.returnUrl,
    notify_url_address: request.notifyUrl,
    [TRANZILA_PAYMENT_FIELD]: request.paymentId,
  }
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function chargeOf(row: ReportRow, terminal: string): Charge[] {
  // Holds, card checks, credits and cancellations are not charges, even when successful.
  if (row.txn_type !== 'DEBIT' || (row.tranmode ?? 'A') !== 'A') return []
  const approved = row.processor_response_code === '000'
  const currency = Object.entries(CURRENCY_CODES).find(([, code]) => code === row.currency)?.[0]
  return [
    {
      transactionId: `${terminal}:${row.index}`,
      status: approved ? 'completed' : 'failed',
      amount: row.amount,
      currency: currency ?? `tranzila:${row.currency}`,
      paymentId: ourIdOf(row),
      reason: approved ? null : row.processor_response_code,
    },
  ]
}

function pointerOf(body: string): WebhookPointer {
  const form = notifyForm.safeParse(Object.fromEntries(new URLSearchParams(body)))
  if (!form.success)
    throw new AppError('invalid', 'invalid_webhook', 'The body is not a Tranzila notification of this installation.', {
      cause: form.error,
    })
  const paymentId = z.uuid().parse(form.data[TRANZILA_PAYMENT_FIELD])
  return { eventId: null, paymentId, transactionId: form.data.index ?? null }
}

/** The report numbers user-defined fields in the terminal's own order: ours is the one with a UUID. */
function ourIdOf(row: Record<string, unknown>): string | null {
  for (const [name, value] of Object.entries(row))
    if (/^user_defined_\d+$/.test(name) && z.uuid().safeParse(value).success) return String(value)
  return null
}
