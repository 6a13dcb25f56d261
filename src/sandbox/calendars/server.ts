import { z } from 'zod'
import { createLogger, type Logger } from '../../lib/log.ts'
import type { ConnectRule } from '../carrier/webhook-client.ts'
import { refuseForeign } from '../guard.ts'
import { handleGoogle } from './google.ts'
import { handleMicrosoft } from './microsoft.ts'
import { authorizePage, giveToken, isAuthorized } from './oauth.ts'
import { answerFault, faultSchema, googleError, graphError, jsonObject, type Vendor, VendorState } from './state.ts'

export type StartCalendars = {
  port: number
  hostname?: '127.0.0.1' | '::1' | 'localhost'
  rules?: readonly ConnectRule[]
  logger?: Logger
}

export type CalendarSandbox = {
  readonly url: string
  readonly port: number
  readonly google: VendorState
  readonly microsoft: VendorState
  close(): Promise<void>
}

/**
 * Starts the simulated Google Calendar and Microsoft Graph with their logins, on loopback only: one account each, events, sync
 * tokens, channels with notices, faults, and `/_control`. Real ones differ in what no client may rely on. All state is in memory.
 */
export function startCalendars(options: StartCalendars): CalendarSandbox {
  const settings = { rules: [...(options.rules ?? [])], logger: options.logger ?? createLogger('silent') }
  const states = { google: new VendorState('google', settings), microsoft: new VendorState('microsoft', settings) }
  const server = Bun.serve({
    port: options.port,
    hostname: options.hostname ?? '127.0.0.1',
    idleTimeout: 120,
    fetch: (request) => route(states, request),
    error: (error) => {
      settings.logger.error({ err: error }, 'simulated calendars failed')
      return Response.json({ error: 'internal' }, { status: 500 })
    },
  })
  const port = server.port ?? options.port
  return { ...states, port, url: `http://127.0.0.1:${port}`, close: () => server.stop(true) }
}

type States = Record<Vendor, VendorState>

async function route(states: States, request: Request): Promise<Response> {
  const url = new URL(request.url)
  const { pathname } = url
  if (pathname.startsWith('/_control')) return await control(states, request, url)
  // Browsers ask for it beside each page.
  if (pathname === '/favicon.ico') return new Response(null, { status: 204 })
  if (pathname === '/o/oauth2/v2/auth') return await authorizePage(states.google, request, url)
  if (pathname === '/common/oauth2/v2.0/authorize') return await authorizePage(states.microsoft, request, url)
  if (pathname === '/token')
    return await struck(states.google, request, url, true, (asked) => giveToken(states.google, asked))
  if (pathname === '/common/oauth2/v2.0/token')
    return await struck(states.microsoft, request, url, true, (asked) => giveToken(states.microsoft, asked))
  if (pathname.startsWith('/calendar/v3/'))
    return await struck(states.google, request, url, false, (asked) =>
      isAuthorized(states.google, asked) ? handleGoogle(states.google, asked, url) : googleError(401, 'authError'),
    )
  if (pathname.startsWith('/v1.0/'))
    return await struck(states.microsoft, request, url, false, (asked) =>
      isAuthorized(states.microsoft, asked)
        ? handleMicrosoft(states.microsoft, asked, url)
        : graphError(401, 'InvalidAuthenticationToken'),
    )
  return new Response('Not found', { status: 404 })
}

async function struck(
  state: VendorState,
  request: Request,
  { pathname }: URL,
  isToken: boolean,
  work: (request: Request) => Response | Promise<Response>,
): Promise<Response> {
  const name = `${request.method} ${pathname}`
  state.log.push(name)
  const fault = state.strike(name)
  if (fault?.delayMs) await Bun.sleep(fault.delayMs)
  if (fault?.status) return answerFault(fault, state.vendor, isToken)
  const answer = await work(request)
  return fault?.lost ? new Response('Bad gateway', { status: 502 }) : answer
}

const action = z.enum([
  'revoke',
  'expire',
  'forget-sync',
  'drop-channels',
  'notices-lost',
  'notices-doubled',
  'notices-once',
])

/** `/_control/{vendor}`: GET state; POST events; DELETE events/ID; POST faults, actions/NAME. */
async function control(states: States, request: Request, url: URL): Promise<Response> {
  const refusal = refuseForeign(request)
  if (refusal) return refusal
  const [, , vendor = '', name = '', id = ''] = url.pathname.split('/')
  const state = vendor === 'google' || vendor === 'microsoft' ? states[vendor] : null
  if (!state) return Response.json({ error: 'There is no such vendor.' }, { status: 404 })
  try {
    const body: unknown = request.method === 'POST' ? JSON.parse((await request.text()) || '{}') : {}
    switch (`${request.method} ${name}`) {
      case 'GET ':
        return Response.json({ calendars: state.calendars, events: [...state.events.values()], log: state.log })
      case 'POST events': {
        const { id: given, calendarId, ...event } = jsonObject.parse(body)
        const calendar = state.calendar(typeof calendarId === 'string' ? calendarId : 'primary')
        if (!calendar) return Response.json({ error: 'There is no such calendar.' }, { status: 404 })
        const made = state.put(
          calendar.id,
          typeof given === 'string' ? given : crypto.randomUUID().replaceAll('-', ''),
          event,
        )
        return Response.json(made, { status: 201 })
      }
      case 'DELETE events':
        return Response.json({ removed: state.remove(id) })
      case 'POST faults':
        state.faults.push(faultSchema.parse({ ...jsonObject.parse(body), vendor }))
        return Response.json({ faults: state.faults }, { status: 201 })
      case 'POST actions':
        act(state, action.parse(id))
        return Response.json({ ok: true })
      default:
        return Response.json({ error: 'There is no such control.' }, { status: 404 })
    }
  } catch (error) {
    if (error instanceof z.ZodError) return Response.json({ error: z.prettifyError(error) }, { status: 400 })
    if (error instanceof SyntaxError) return Response.json({ error: 'The body is not JSON.' }, { status: 400 })
    throw error
  }
}

function act(state: VendorState, name: z.output<typeof action>): void {
  if (name === 'revoke') state.revoke()
  if (name === 'expire') state.access.clear()
  if (name === 'forget-sync') state.oldest = state.sequence + 1
  if (name === 'drop-channels') state.channels.clear()
  if (name === 'notices-lost') state.notices = 'lost'
  if (name === 'notices-doubled') state.notices = 'doubled'
  if (name === 'notices-once') state.notices = 'once'
}
