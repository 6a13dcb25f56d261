import { AppError } from '../../lib/errors.ts'
import { createLogger, type Logger } from '../../lib/log.ts'
import { refuseForeign } from '../guard.ts'
import { createCall, readCalls, updateCall } from './calls-api.ts'
import { CONTENT_PATH, readContents } from './content-api.ts'
import { handleControl } from './control.ts'
import { createMessage, deleteMessages, readMessages } from './messages-api.ts'
import { readNumbers, updateNumber } from './numbers-api.ts'
import { deleteRecording, readRecordings } from './recordings-api.ts'
import { API_ROOT, isAuthorized, twilioError, twilioNotFound } from './rest.ts'
import { type CarrierSettings, CarrierState } from './state.ts'

export type StartCarrier = {
  port: number
  hostname?: string
  accountSid: string
  authToken: string
  logger?: Logger
  settings?: Partial<CarrierSettings>
}

export type Carrier = CarrierState & {
  readonly port: number
  /** Another account at the same carrier, with its own numbers, calls and messages. `/_control` serves the first one. */
  addAccount: (account: Pick<StartCarrier, 'accountSid' | 'authToken'>) => Carrier
  close: () => Promise<void>
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/**
 * Starts the simulated carrier: Twilio's REST API 2010-04-01 (messages, calls, recordings, media, numbers) under HTTP Basic
 * authentication, and `/_control` for tests, the command line and browsers. All state is in memory.
 * @throws AppError `sandbox_not_loopback` when asked to listen on any other address
 */
export function startCarrier(options: StartCarrier): Carrier {
  const hostname = options.hostname ?? '127.0.0.1'
  if (!LOOPBACK.has(hostname)) {
    throw new AppError(
      'forbidden',
      'sandbox_not_loopback',
      `The sandbox carrier has no real security and listens on loopback only, not on ${hostname}.`,
    )
  }
  const state = new CarrierState({ ...options, logger: options.logger ?? createLogger('silent') })
  const accounts = [state]
  const server = Bun.serve({
    port: options.port,
    hostname,
    idleTimeout: 120,
    maxRequestBodySize: 64 * 1024 * 1024,
    fetch: async (request, self) => {
      const url = new URL(request.url)
      if (url.pathname === '/_control' || url.pathname.startsWith('/_control/')) {
        self.timeout(request, 0)
        return refuseForeign(request) ?? handleControl(state, request, url)
      }
      return handleApi(accounts, request, url)
    },
    error: (error) => {
      state.logger.error({ err: error }, 'carrier request failed')
      return twilioError(500, 20500, 'An internal server error has occurred')
    },
  })
  const port = server.port ?? options.port
  state.url = `http://${hostname === '::1' ? '[::1]' : hostname}:${port}`
  const close = async (): Promise<void> => {
    for (const account of accounts) account.endAll()
    await server.stop(true)
  }
  const addAccount: Carrier['addAccount'] = (account) => {
    const made = new CarrierState({ ...account, logger: state.logger, settings: state.settings })
    made.url = state.url
    accounts.push(made)
    return Object.assign(made, { port, close, addAccount })
  }
  return Object.assign(state, { port, close, addAccount })
}

async function handleApi(accounts: readonly CarrierState[], request: Request, url: URL): Promise<Response> {
  const [, account, resource, ...rest] = url.pathname.replace(`${API_ROOT}/`, '').split('/')
  const missing = twilioNotFound(url.pathname.replace(API_ROOT, ''))
  if (url.pathname === CONTENT_PATH) {
    const owner = accounts.find(({ accountSid, authToken }) => isAuthorized(request, accountSid, authToken))
    return owner ? readContents(owner, url) : twilioError(401, 20003, 'Authenticate')
  }
  if (!url.pathname.startsWith(`${API_ROOT}/Accounts/`) || account === undefined || resource === undefined)
    return missing
  const state = accounts.find(({ accountSid, authToken }) => isAuthorized(request, accountSid, authToken))
  if (!state) {
    return twilioError(401, 20003, 'Authenticate', { 'WWW-Authenticate': 'Basic realm="Twilio API"' })
  }
  if (account !== state.accountSid) return missing
  const name = stripExtension(resource)
  const parts = rest.map(stripExtension)
  if (request.method === 'POST') {
    if (name === 'Messages' && parts.length === 0) return createMessage(state, await readForm(request))
    if (name === 'Calls' && parts.length === 0) return createCall(state, await readForm(request))
    if (name === 'Calls' && parts.length === 1) return updateCall(state, parts[0] ?? '', await readForm(request), url)
    if (name === 'IncomingPhoneNumbers' && parts.length === 1)
      return updateNumber(state, parts[0] ?? '', await readForm(request), url)
    return missing
  }
  if (request.method === 'DELETE') {
    if (name === 'Messages') return deleteMessages(state, parts, url)
    if (name === 'Recordings' && parts.length === 1) return deleteRecording(state, parts[0] ?? '', url)
    return missing
  }
  if (request.method !== 'GET') return twilioError(405, 20004, 'Method not allowed')
  if (name === 'Messages') return (await readMessages(state, parts, url)) ?? missing
  if (name === 'Recordings') return (await readRecordings(state, parts, url)) ?? missing
  if (name === 'IncomingPhoneNumbers') return (await readNumbers(state, parts, url)) ?? missing
  if (name === 'Calls' && parts[1] === 'Recordings' && parts.length === 2) {
    url.searchParams.set('CallSid', parts[0] ?? '')
    return (await readRecordings(state, [], url)) ?? missing
  }
  if (name === 'Calls') return (await readCalls(state, parts, url)) ?? missing
  return missing
}

function stripExtension(part: string): string {
  return part.replace(/\.(json|wav|mp3)$/, '')
}

async function readForm(request: Request): Promise<URLSearchParams> {
  return new URLSearchParams(await request.text())
}
