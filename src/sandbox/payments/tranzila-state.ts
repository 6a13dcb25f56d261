import { createHmac, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { secretsEqual } from '../../lib/ids.ts'
import { fromDecimal } from '../../lib/money.ts'
import type { Deliveries } from './deliveries.ts'
import { effectOf, type PaymentEffect } from './faults.ts'
import type { Ledger } from './ledger.ts'

export type Terminal = { terminal: string; appKey: string; secret: string }

type Row = {
  terminal: string
  index: number
  amount: number
  currency: string
  processor_response_code: string
  txn_type: 'DEBIT'
  tranmode: string
  payment_plan: number
  transaction_date: string
  authorization_number: string
  /** The terminal's own field, `payment_id` by its API name. */
  user_defined_1: string
}

const FIELD = 'payment_id'
const HANDSHAKE_MS = 20 * 60_000
const CLOCK_SKEW_S = 300
export const CURRENCIES: Readonly<Record<string, string>> = { '1': 'ILS', '2': 'USD' }

const handshakeInput = z.object({ terminal_name: z.string(), sum: z.number().positive() })
const reportInput = z.object({
  terminal_name: z.string(),
  transaction_index: z.int().optional(),
  transaction_start_date: z.iso.date().optional(),
  transaction_end_date: z.iso.date().optional(),
  page: z.int().min(1).default(1),
  page_results: z.int().min(1).max(1_000).default(10),
  ufields: z.array(z.object({ name: z.string(), operator: z.literal('equals'), value: z.string() })).default([]),
})

export class TranzilaState {
  readonly rows: Row[] = []
  readonly terminals: Terminal[]
  private readonly handshakes = new Map<string, { terminal: string; sum: number; until: number }>()
  private readonly nonces = new Set<string>()
  private readonly ledger: Ledger
  private readonly deliveries: Deliveries

  constructor(terminal: Terminal, ledger: Ledger, deliveries: Deliveries) {
    this.terminals = [terminal]
    this.ledger = ledger
    this.deliveries = deliveries
  }

  /** The terminal of the signing keys; null when they are wrong. */
  terminalOf(request: Request): string | null {
    const header = (name: string) => request.headers.get(`x-tranzila-api-${name}`) ?? ''
    const time = header('request-time')
    const nonce = header('nonce')
    const found = this.terminals.find(({ appKey }) => header('app-key') === appKey)
    if (!found || nonce.length !== 80 || this.nonces.has(nonce)) return null
    if (Math.abs(Date.now() / 1_000 - Number(time)) > CLOCK_SKEW_S) return null
    this.nonces.add(nonce)
    const expected = createHmac('sha256', found.secret + time + nonce)
      .update(found.appKey)
      .digest('hex')
    return secretsEqual(header('access-token'), expected) ? found.terminal : null
  }

  createHandshake(body: unknown, terminal: string): Response {
    const input = handshakeInput.safeParse(body)
    if (!input.success || input.data.terminal_name !== terminal)
      return Response.json({ error_code: 20_003, message: 'Invalid request' })
    const thtk = randomBytes(16).toString('hex')
    this.handshakes.set(thtk, { terminal, sum: Math.round(input.data.sum * 100), until: Date.now() + HANDSHAKE_MS })
    return Response.json({ error_code: 0, message: 'Success', thtk })
  }

  reportRows(body: unknown, terminal: string): Response {
    const input = reportInput.safeParse(body)
    if (!input.success || input.data.terminal_name !== terminal)
      return Response.json({ error_code: 20_003, message: 'Invalid request' })
    const { transaction_index, transaction_start_date, transaction_end_date, ufields, page, page_results } = input.data
    const found = this.rows.filter(
      (row) =>
        row.terminal === terminal &&
        (transaction_index === undefined || row.index === transaction_index) &&
        (transaction_start_date === undefined || row.transaction_date >= transaction_start_date) &&
        (transaction_end_date === undefined || row.transaction_date <= transaction_end_date) &&
        ufields.every(({ name, value }) => name === FIELD && row.user_defined_1 === value),
    )
    const shown = found.slice((page - 1) * page_results, page * page_results)
    return Response.json({ error_code: 0, message: 'Success', rows: found.length, transactions: shown })
  }

  /** Charges the card, or refuses it, and posts to the notify address; the answer redirects the browser. */
  charge(terminal: string, query: URLSearchParams, declined: boolean, effects: readonly PaymentEffect[]) {
    const wrong = effectOf(effects, 'wrong_amount')
    const code = declined || effectOf(effects, 'declined') ? '033' : '000'
    const currency = Object.entries(CURRENCIES).find(([, name]) => name === wrong?.currency)?.[0]
    const row: Row = {
      terminal,
      index: this.rows.length + 1,
      amount: wrong?.amount ?? fromDecimal(query.get('sum') ?? '') ?? 0,
      currency: currency ?? query.get('currency') ?? '1',
      processor_response_code: code,
      txn_type: 'DEBIT',
      tranmode: query.get('tranmode') ?? 'A',
      payment_plan: 1,
      transaction_date: new Date().toISOString().slice(0, 10),
      authorization_number: code === '000' ? String(1_000_000 + this.rows.length) : '',
      user_defined_1: query.get(FIELD) ?? '',
    }
    this.rows.push(row)
    // A hold is not a charge: it is in the books, and no money moves.
    if (row.tranmode === 'A')
      this.ledger.add({
        id: `${terminal}:${row.index}`,
        kind: 'charge',
        reference: row.user_defined_1 || null,
        amount: row.amount,
        currency: CURRENCIES[row.currency] ?? row.currency,
        status: code === '000' ? 'completed' : 'failed',
        chargeId: null,
      })
    const fields = {
      ...Object.fromEntries(query),
      Response: code,
      index: String(row.index),
      ConfirmationCode: row.authorization_number,
    }
    const notifyUrl = query.get('notify_url_address')
    if (notifyUrl)
      this.deliveries.send({
        url: notifyUrl,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(fields).toString(),
      })
    return { row, fields, back: query.get(code === '000' ? 'success_url_address' : 'fail_url_address') ?? '' }
  }

  fitsHandshake(terminal: string, query: URLSearchParams): boolean {
    const handshake = this.handshakes.get(query.get('thtk') ?? '')
    if (handshake?.terminal !== terminal || handshake.until < Date.now()) return false
    return fromDecimal(query.get('sum') ?? '') === handshake.sum
  }
}
