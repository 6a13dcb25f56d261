import { createHmac, randomBytes } from 'node:crypto'
import { html } from 'hono/html'
import { z } from 'zod'
import { secretsEqual } from '../../lib/ids.ts'
import { createLogger, type Logger } from '../../lib/log.ts'
import { fromDecimal } from '../../lib/money.ts'
import type { ConnectRule } from '../carrier/webhook-client.ts'
import { type ControlRoute, handlePaymentControl } from './control.ts'
import { Deliveries } from './deliveries.ts'
import { answerWith, effectOf, type PaymentEffect, PaymentFaults } from './faults.ts'
import { Ledger } from './ledger.ts'
import { sandboxPage } from './page.ts'

export type StartTranzila = {
  /** 0 = any free port. */
  port: number
  hostname?: '127.0.0.1' | '::1' | 'localhost'
  terminal: string
  appKey: string
  secret: string
  rules?: readonly ConnectRule[]
  logger?: Logger
}

type Terminal = Pick<StartTranzila, 'terminal' | 'appKey' | 'secret'>

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

export type TranzilaSandbox = {
  readonly port: number
  readonly url: string
  readonly faults: PaymentFaults
  readonly ledger: Ledger
  readonly deliveries: Deliveries
  addTerminal(terminal: Terminal): void
  close(): Promise<void>
}

const FIELD = 'payment_id'
const HANDSHAKE_MS = 20 * 60_000
const CLOCK_SKEW_S = 300
const CURRENCIES: Readonly<Record<string, string>> = { '1': 'ILS', '2': 'USD' }

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

/**
 * Starts the simulated Tranzila, on loopback only: handshake, hosted page, unsigned notify, transactions report, `/_control`.
 * One port serves `api`, `report` and `direct`. All state is in memory.
 */
export function startTranzila(options: StartTranzila): TranzilaSandbox {
  const hostname = options.hostname ?? '127.0.0.1'
  const logger = options.logger ?? createLogger('silent')
  const faults = new PaymentFaults()
  const ledger = new Ledger()
  const deliveries = new Deliveries({ faults, rules: options.rules ?? [], retries: false, logger })
  const handshakes = new Map<string, { terminal: string; sum: number; until: number }>()
  const nonces = new Set<string>()
  const rows: Row[] = []
  const terminals: Terminal[] = [options]

  /** The terminal of the signing keys; null when they are wrong. */
  function terminalOf(request: Request): string | null {
    const header = (name: string) => request.headers.get(`x-tranzila-api-${name}`) ?? ''
    const time = header('request-time')
    const nonce = header('nonce')
    const found = terminals.find(({ appKey }) => header('app-key') === appKey)
    if (!found || nonce.length !== 80 || nonces.has(nonce)) return null
    if (Math.abs(Date.now() / 1_000 - Number(time)) > CLOCK_SKEW_S) return null
    nonces.add(nonce)
    const expected = createHmac('sha256', found.secret + time + nonce)
      .update(found.appKey)
      .digest('hex')
    return secretsEqual(header('access-token'), expected) ? found.terminal : null
  }

  async function api(
    request: Request,
    operation: 'handshake' | 'report',
    work: (body: unknown, terminal: string) => Response,
  ): Promise<Response> {
    const effects = faults.strike(operation)
    const refused = effectOf(effects, 'http_error')
    if (refused) return Response.json({ error_code: 1, message: 'injected' }, { status: refused.status })
    const terminal = terminalOf(request)
    if (terminal === null) return Response.json({ error_code: 20_001, message: 'Unauthorized' }, { status: 401 })
    return answerWith(work(await request.json(), terminal), effects)
  }

  function createHandshake(body: unknown, terminal: string): Response {
    const input = handshakeInput.safeParse(body)
    if (!input.success || input.data.terminal_name !== terminal)
      return Response.json({ error_code: 20_003, message: 'Invalid request' })
    const thtk = randomBytes(16).toString('hex')
    handshakes.set(thtk, { terminal, sum: Math.round(input.data.sum * 100), until: Date.now() + HANDSHAKE_MS })
    return Response.json({ error_code: 0, message: 'Success', thtk })
  }

  function reportRows(body: unknown, terminal: string): Response {
    const input = reportInput.safeParse(body)
    if (!input.success || input.data.terminal_name !== terminal)
      return Response.json({ error_code: 20_003, message: 'Invalid request' })
    const { transaction_index, transaction_start_date, transaction_end_date, ufields, page, page_results } = input.data
    const found = rows.filter(
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
  function charge(terminal: string, query: URLSearchParams, declined: boolean, effects: readonly PaymentEffect[]) {
    const wrong = effectOf(effects, 'wrong_amount')
    const code = declined || effectOf(effects, 'declined') ? '033' : '000'
    const currency = Object.entries(CURRENCIES).find(([, name]) => name === wrong?.currency)?.[0]
    const row: Row = {
      terminal,
      index: rows.length + 1,
      amount: wrong?.amount ?? fromDecimal(query.get('sum') ?? '') ?? 0,
      currency: currency ?? query.get('currency') ?? '1',
      processor_response_code: code,
      txn_type: 'DEBIT',
      tranmode: query.get('tranmode') ?? 'A',
      payment_plan: 1,
      transaction_date: new Date().toISOString().slice(0, 10),
      authorization_number: code === '000' ? String(1_000_000 + rows.length) : '',
      user_defined_1: query.get(FIELD) ?? '',
    }
    rows.push(row)
    // A hold is not a charge: it is in the books, and no money moves.
    if (row.tranmode === 'A')
      ledger.add({
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
      deliveries.send({
        url: notifyUrl,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(fields).toString(),
      })
    return { row, fields, back: query.get(code === '000' ? 'success_url_address' : 'fail_url_address') ?? '' }
  }

  async function payPage(terminal: string, request: Request, query: URLSearchParams): Promise<Response> {
    const handshake = handshakes.get(query.get('thtk') ?? '')
    const sum = fromDecimal(query.get('sum') ?? '')
    if (handshake?.terminal !== terminal || handshake.until < Date.now() || sum !== handshake.sum)
      return sandboxPage('Tranzila', 'The handshake does not fit this payment, or is too old.')
    if (request.method !== 'POST')
      return sandboxPage(
        'Tranzila',
        html`<p>${query.get('pdesc') ?? ''}</p>
          <p class="sum">${query.get('sum') ?? ''} ${CURRENCIES[query.get('currency') ?? ''] ?? ''}</p>
          <form method="post">
            <button name="decision" value="pay">Pay with a card that works</button>
            <button name="decision" value="decline" class="quiet">Pay with a card that is refused</button>
          </form>`,
      )
    const decision = new URLSearchParams(await request.text()).get('decision')
    const { fields, back } = charge(terminal, query, decision !== 'pay', faults.strike('charge'))
    // The real page sends the browser back with a POST of the same fields.
    return sandboxPage(
      'Tranzila',
      html`<form method="post" action="${back}" id="back">
          ${Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)}
          <button>Back to the shop</button>
        </form>
        <script>document.getElementById('back').submit()</script>`,
    )
  }

  const control: Readonly<Record<string, ControlRoute>> = {
    'GET transactions': () => Response.json({ transactions: rows }),
    /** Posts any form to any notify address, as anyone on the internet can. */
    'POST forge': async (body) => {
      const { url, fields } = z.object({ url: z.url(), fields: z.record(z.string(), z.string()) }).parse(body)
      return Response.json(
        await deliveries.sendOnce({
          url,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams(fields).toString(),
        }),
      )
    },
  }

  const server = Bun.serve({
    port: options.port,
    hostname,
    idleTimeout: 120,
    async fetch(request) {
      const url = new URL(request.url)
      if (url.pathname.startsWith('/_control'))
        return handlePaymentControl(request, url, { faults, ledger, deliveries }, control)
      if (url.pathname === '/v2/handshake/create' && request.method === 'POST')
        return api(request, 'handshake', createHandshake)
      if (url.pathname === '/v1/transaction' && request.method === 'POST') return api(request, 'report', reportRows)
      const page = terminals.find(({ terminal }) => url.pathname === `/${terminal}/iframenew.php`)
      if (page) return payPage(page.terminal, request, url.searchParams)
      return Response.json({ error_code: 404, message: 'page not found' }, { status: 404 })
    },
    error: (error) => {
      logger.error({ err: error }, 'simulated Tranzila failed')
      return Response.json({ error_code: 500, message: 'error' }, { status: 500 })
    },
  })
  const port = server.port ?? options.port
  return {
    port,
    url: `http://${hostname === '::1' ? '[::1]' : hostname}:${port}`,
    faults,
    ledger,
    deliveries,
    addTerminal: (terminal) => void terminals.push(terminal),
    async close() {
      deliveries.stop()
      await server.stop(true)
    },
  }
}
