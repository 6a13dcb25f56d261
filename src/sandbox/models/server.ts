import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { refuseForeign } from '../guard.ts'
import { answerModelRequest, apiError } from './answer.ts'
import { type ModelPlan, type ModelPlanInput, type ModelView, modelPlan } from './rules.ts'
import { wireAt } from './wire.ts'

export type { ModelPlanInput } from './rules.ts'

export type ModelServer = {
  readonly port: number
  /** Such as `http://127.0.0.1:4100/v1`: COMPATIBLE_BASE_URL. */
  readonly baseUrl: string
  /** What was asked, newest last. */
  readonly requests: (ModelView & { path: string; apiKey: string })[]
  /** Replaces the rules; the requests stay. @throws ZodError */
  plan(plan: ModelPlanInput): void
  close(): Promise<void>
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])
const STORED_REQUESTS = 500
const WRONG_KEY = {
  error: {
    message: 'Incorrect API key provided.',
    type: 'invalid_request_error',
    param: null,
    code: 'invalid_api_key',
  },
}
/** The file's name tells its format (API reference, "Create transcription"). */
const FORMATS = new Set(['flac', 'mp3', 'mp4', 'mpeg', 'mpga', 'm4a', 'ogg', 'wav', 'webm'])

/**
 * Starts a played text model: `/v1/chat/completions`, `/v1/responses`, `/v1/embeddings`, `/v1/audio/transcriptions`, `/v1/models`
 * of OpenAI, `/v1/messages` of Anthropic, `/v1/models/M:generateContent` of Google, streaming or not, and `/_control/plan` (GET, PUT) and `/_control/requests` (GET, DELETE) for tests.
 * @param options.apiKeys those that are accepted; every key, and none, when absent
 * @throws AppError `sandbox_not_loopback`
 */
export function startModelServer(
  options: { port?: number; hostname?: string; apiKeys?: readonly string[]; plan?: ModelPlanInput } = {},
): ModelServer {
  const hostname = options.hostname ?? '127.0.0.1'
  if (!LOOPBACK.has(hostname))
    throw new AppError('forbidden', 'sandbox_not_loopback', 'The sandbox listens on loopback only.')
  let plan: ModelPlan = modelPlan.parse(options.plan ?? {})
  const requests: ModelServer['requests'] = []

  const server = Bun.serve({
    port: options.port ?? 0,
    hostname,
    idleTimeout: 180,
    development: false,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname.startsWith('/_control')) return refuseForeign(request) ?? (await control(request, pathname))
      const { headers } = request
      const apiKey =
        headers.get('x-api-key') ??
        headers.get('x-goog-api-key') ??
        (headers.get('authorization') ?? '').replace(/^Bearer /, '')
      if (options.apiKeys && !options.apiKeys.includes(apiKey)) {
        const { status, body } = wireAt(pathname)?.failure('unauthorized') ?? { status: 401, body: WRONG_KEY }
        return Response.json(body, { status })
      }
      if (request.method === 'GET' && pathname === '/v1/models')
        return Response.json({ object: 'list', data: [{ id: 'sandbox', object: 'model', owned_by: 'sandbox' }] })
      if (request.method === 'POST' && pathname === '/v1/audio/transcriptions') return await transcribe(request, plan)
      const answered = await answerModelRequest(request, pathname, plan, (view) => {
        requests.push({ ...view, path: pathname, apiKey })
        if (requests.length > STORED_REQUESTS) requests.shift()
      })
      return answered ?? apiError(404, 'invalid_request_error', 'not_found', `There is nothing at ${pathname}.`)
    },
  })

  async function control(request: Request, path: string): Promise<Response> {
    if (path === '/_control/plan' && request.method === 'GET') return Response.json(plan)
    if (path === '/_control/requests' && request.method === 'GET') return Response.json({ requests })
    if (path === '/_control/requests' && request.method === 'DELETE') {
      requests.length = 0
      return new Response(null, { status: 204 })
    }
    if (path !== '/_control/plan' || request.method !== 'PUT')
      return apiError(404, 'invalid_request_error', 'not_found', 'There is no such control.')
    try {
      plan = modelPlan.parse(await request.json())
      return Response.json(plan)
    } catch (error) {
      if (error instanceof z.ZodError || error instanceof SyntaxError)
        return apiError(400, 'invalid_request_error', 'invalid_value', error.message)
      throw error
    }
  }

  const port = server.port ?? options.port ?? 0
  return {
    port,
    baseUrl: `http://${hostname === '::1' ? '[::1]' : hostname}:${port}/v1`,
    requests,
    plan(next) {
      plan = modelPlan.parse(next)
    },
    async close() {
      await server.stop(true)
    },
  }
}

async function transcribe(request: Request, plan: ModelPlan): Promise<Response> {
  const form = await request.formData()
  const file = form.get('file')
  if (!(file instanceof File) || file.size === 0)
    return apiError(400, 'invalid_request_error', 'missing_file', 'The file is missing.')
  if (!FORMATS.has(file.name.split('.').at(-1) ?? ''))
    return apiError(400, 'invalid_request_error', 'invalid_value', 'Unrecognized file format.')
  const text = plan.transcripts.length > 1 ? plan.transcripts.shift() : plan.transcripts[0]
  // About 3 kB of Opus are a second.
  return Response.json({ text: text ?? '', usage: { type: 'duration', seconds: Math.ceil(file.size / 3_000) } })
}
