import { html } from 'hono/html'
import { z } from 'zod'
import { createLogger, type Logger } from '../../lib/log.ts'
import type { ConnectRule } from '../carrier/webhook-client.ts'
import { type ControlRoute, handlePaymentControl } from './control.ts'
import { Deliveries } from './deliveries.ts'
import { answerWith, effectOf, PaymentFaults } from './faults.ts'
import { Ledger } from './ledger.ts'
import { sandboxPage } from './page.ts'
import { CURRENCIES, type Terminal, TranzilaState } from './tranzila-state.ts'

export type StartTranzila = Terminal & {
  /** 0 = any free port. */
  port: number
  hostname?: '127.0.0.1' | '::1' | 'localhost'
  rules?: readonly ConnectRule[]
  logger?: Logger
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
  const state = new TranzilaState(options, ledger, deliveries)
  const control = controlOf(state, deliveries)
  const server = Bun.serve({
    port: options.port,
    hostname,
    idleTimeout: 120,
    async fetch(request) {
      const url = new URL(request.url)
      if (url.pathname.startsWith('/_control'))
        return handlePaymentControl(request, url, { faults, ledger, deliveries }, control)
      if (request.method === 'POST' && url.pathname in OPERATIONS)
        return answerApi(state, faults, request, url.pathname)
      const page = state.terminals.find(({ terminal }) => url.pathname === `/${terminal}/iframenew.php`)
      if (page) return payPage(state, faults, page.terminal, request, url.searchParams)
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
    addTerminal: (terminal) => void state.terminals.push(terminal),
    async close() {
      deliveries.stop()
      await server.stop(true)
    },
  }
}

const OPERATIONS: Readonly<Record<string, 'handshake' | 'report'>> = {
  '/v2/handshake/create': 'handshake',
  '/v1/transaction': 'report',
}

async function answerApi(
  state: TranzilaState,
  faults: PaymentFaults,
  request: Request,
  path: string,
): Promise<Response> {
  const operation = OPERATIONS[path] ?? 'report'
  const effects = faults.strike(operation)
  const refused = effectOf(effects, 'http_error')
  if (refused) return Response.json({ error_code: 1, message: 'injected' }, { status: refused.status })
  const terminal = state.terminalOf(request)
  if (terminal === null) return Response.json({ error_code: 20_001, message: 'Unauthorized' }, { status: 401 })
  const body: unknown = await request.json()
  const answer = operation === 'handshake' ? state.createHandshake(body, terminal) : state.reportRows(body, terminal)
  return answerWith(answer, effects)
}

async function payPage(
  state: TranzilaState,
  faults: PaymentFaults,
  terminal: string,
  request: Request,
  query: URLSearchParams,
): Promise<Response> {
  if (!state.fitsHandshake(terminal, query))
    return sandboxPage('Tranzila', 'The handshake does not match this payment, or has expired.')
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
  const { fields, back } = state.charge(terminal, query, decision !== 'pay', faults.strike('charge'))
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

function controlOf(state: TranzilaState, deliveries: Deliveries): Readonly<Record<string, ControlRoute>> {
  return {
    'GET transactions': () => Response.json({ transactions: state.rows }),
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
}
