import type { ServerWebSocket } from 'bun'
import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { createLogger, type Logger } from '../../lib/log.ts'
import { makeTone } from '../carrier/audio.ts'
import { refuseForeign } from '../guard.ts'
import { type RealtimeFault, RealtimeFaults, realtimeFault } from './faults.ts'
import { answerRest, type RestPlan, restPlan } from './rest.ts'
import {
  RECEPTIONIST_SCRIPT,
  type RealtimeScript,
  type RealtimeScriptInput,
  realtimeScript,
  wordsMs,
} from './script.ts'
import { RealtimeSession } from './session.ts'

export type StartOpenAi = {
  /** 0 = any free port. */
  port: number
  hostname?: string
  apiKey: string
  logger?: Logger
  /** Synthesizes text as μ-law; without it scripts with a voice get a tone. */
  speak?: (text: string, language: string) => Promise<Uint8Array>
  script?: RealtimeScriptInput
}

export type OpenAiSandbox = {
  readonly port: number
  readonly realtimeUrl: string
  readonly sessions: RealtimeSession[]
  readonly faults: RealtimeFaults
  setScript(script: RealtimeScriptInput): void
  rest: RestPlan
  addKey(apiKey: string): void
  /** The requests and their keys, newest last. */
  readonly uses: { path: string; apiKey: string }[]
  open(): number
  close(): Promise<void>
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])
/** Stored reports, newest last. */
const MAX_SESSIONS = 500

type SocketData = {
  model: string
  script: RealtimeScript
  session: RealtimeSession | null
  fault: RealtimeFault | null
}

/**
 * Starts the sandbox's OpenAI: `/v1/realtime` (WebSocket, general availability events), `/v1/audio/transcriptions`,
 * `/v1/chat/completions`, under Bearer authentication, and `/_control` for tests and the command line.
 * @throws AppError `sandbox_not_loopback` when asked to listen on any other address
 */
export function startOpenAi(options: StartOpenAi): OpenAiSandbox {
  const hostname = options.hostname ?? '127.0.0.1'
  if (!LOOPBACK.has(hostname))
    throw new AppError('forbidden', 'sandbox_not_loopback', 'The sandbox listens on loopback only.')
  const log = options.logger ?? createLogger('silent')
  const faults = new RealtimeFaults()
  const sessions: RealtimeSession[] = []
  const state: ControlState = {
    sessions,
    faults,
    script: realtimeScript.parse(options.script ?? RECEPTIONIST_SCRIPT),
    rest: restPlan.parse({}),
  }
  const keys = new Set([options.apiKey])
  const uses: OpenAiSandbox['uses'] = []
  const speak = options.speak ?? (async (text: string) => makeTone(300, wordsMs(text), 6_000))

  const server = Bun.serve<SocketData>({
    port: options.port,
    hostname,
    idleTimeout: 120,
    async fetch(request, self) {
      const url = new URL(request.url)
      if (url.pathname.startsWith('/_control')) return refuseForeign(request) ?? answerControl(state, request, url)
      const apiKey = (request.headers.get('authorization') ?? '').replace(/^Bearer /, '')
      if (!keys.has(apiKey))
        return apiError(401, 'invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.')
      uses.push({ path: url.pathname, apiKey })
      if (uses.length > MAX_SESSIONS) uses.shift()
      if (url.pathname !== '/v1/realtime') return answerRest(request, url, state.rest)
      const fault = faults.strike('connect')
      if (fault?.effect.kind === 'refuse')
        return apiError(fault.effect.status, 'server_error', `http_${fault.effect.status}`, 'Injected refusal')
      const data: SocketData = {
        model: url.searchParams.get('model') ?? '',
        script: state.script,
        session: null,
        fault,
      }
      if (!data.model)
        return apiError(400, 'invalid_request_error', 'missing_model', 'You must provide a model parameter.')
      if (!self.upgrade(request, { data })) return apiError(426, 'invalid_request_error', 'upgrade', 'Speak WebSocket.')
      return undefined
    },
    websocket: {
      perMessageDeflate: false,
      maxPayloadLength: 16 * 1024 * 1024,
      open(ws: ServerWebSocket<SocketData>) {
        const { model } = ws.data
        const session = new RealtimeSession(
          {
            send: (text) => void ws.send(text),
            close: (code, reason) => ws.close(code, reason),
            terminate: () => ws.terminate(),
          },
          { model, script: ws.data.script, faults, speak },
        )
        ws.data.session = session
        sessions.push(session)
        if (ws.data.fault) session.strike(ws.data.fault.effect)
        if (sessions.length > MAX_SESSIONS) sessions.shift()
        log.info({ session: session.report.id, model }, 'realtime session opened')
      },
      message: (ws, text) => ws.data.session?.receive(String(text)),
      close: (ws) => ws.data.session?.end(),
    },
  })

  const port = server.port ?? options.port
  return {
    port,
    realtimeUrl: `ws://${hostname === '::1' ? '[::1]' : hostname}:${port}/v1/realtime`,
    addKey: (apiKey) => void keys.add(apiKey),
    uses,
    sessions,
    faults,
    setScript(next) {
      state.script = realtimeScript.parse(next)
    },
    get rest() {
      return state.rest
    },
    set rest(plan) {
      state.rest = plan
    },
    open: () => sessions.filter((each) => !each.report.closed).length,
    async close() {
      for (const session of sessions) session.end()
      await server.stop(true)
    },
  }
}

type ControlState = {
  readonly sessions: RealtimeSession[]
  readonly faults: RealtimeFaults
  script: RealtimeScript
  rest: RestPlan
}

async function answerControl(state: ControlState, request: Request, url: URL): Promise<Response> {
  const [, , what, id, verb] = url.pathname.split('/')
  try {
    if (what === 'sessions' && request.method === 'GET')
      return Response.json({ sessions: state.sessions.map((each) => each.report) })
    if (what === 'sessions' && request.method === 'POST' && verb === 'strike') {
      const session = state.sessions.find((each) => each.report.id === id)
      if (!session) return apiError(404, 'invalid_request_error', 'not_found', 'There is no such session.')
      session.strike(realtimeFault.shape.effect.parse(await request.json()))
      return new Response(null, { status: 204 })
    }
    if (what === 'script' && request.method === 'PUT') {
      state.script = realtimeScript.parse(await request.json())
      return Response.json(state.script)
    }
    if (what === 'rest' && request.method === 'PUT') {
      state.rest = restPlan.parse(await request.json())
      return Response.json(state.rest)
    }
    if (what === 'faults' && request.method === 'POST') {
      state.faults.add(await request.json())
      return Response.json({ faults: state.faults.list() }, { status: 201 })
    }
    if (what === 'faults' && request.method === 'DELETE') {
      state.faults.clear()
      return new Response(null, { status: 204 })
    }
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError)
      return apiError(400, 'invalid_request_error', 'invalid_value', error.message)
    throw error
  }
  return apiError(404, 'invalid_request_error', 'not_found', 'There is no such control.')
}

function apiError(status: number, type: string, code: string, message: string): Response {
  return Response.json({ error: { message, type, param: null, code } }, { status })
}
