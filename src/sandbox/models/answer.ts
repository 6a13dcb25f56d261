import { answerJson } from '../openai/chat-model.ts'
import type { StreamEvent } from './encode.ts'
import {
  defaultAnswer,
  type ModelPlan,
  type ModelView,
  type PlannedAnswer,
  planAnswer,
  type WireFailure,
} from './rules.ts'
import { type Wire, wireAt } from './wire.ts'

const SLOW_MS = 120_000

/**
 * `POST …/chat/completions`, `…/responses` and `…/embeddings` of OpenAI, `…/messages` of Anthropic, `…/models/M:generateContent` and
 * `:streamGenerateContent` of Google; null for any other path.
 */
export async function answerModelRequest(
  request: Request,
  path: string,
  plan: ModelPlan,
  onView: (view: ModelView) => void = () => undefined,
): Promise<Response | null> {
  if (request.method !== 'POST') return null
  if (path.endsWith('/embeddings')) return embed(await readJson(request))
  const wire = wireAt(path)
  return wire && (await answer(request, path, wire, plan, onView))
}

async function answer(
  request: Request,
  path: string,
  wire: Wire,
  plan: ModelPlan,
  onView: (view: ModelView) => void,
): Promise<Response> {
  const parsed = wire.parse(await readJson(request), path)
  if ('problem' in parsed) return Response.json(wire.invalid(parsed.problem), { status: 400 })
  const { view, includeUsage } = parsed
  if (view.json && !/json/i.test(`${view.instructions}${view.messages.map(({ text }) => text).join()}`))
    return Response.json(wire.invalid("'messages' must contain the word 'json'."), { status: 400 })
  onView(view)
  const planned = planAnswer(view, plan.rules, (given) => (given.json ? simulatedJson(given) : defaultAnswer(given)))
  const failure = await failureOf(wire, planned, request.signal)
  if (failure) return failure
  if (view.stream) return streamOf(wire.stream(view, planned, includeUsage), request.signal)
  if (planned.fault === 'cut_off') return cutOff()
  if (planned.fault === 'stream_error') return refuse(wire.failure('server_error'))
  if (planned.fault === 'stalls') await sleep(SLOW_MS, request.signal)
  return Response.json(wire.whole(view, planned))
}

function simulatedJson({ instructions, messages }: ModelView): string {
  return answerJson([
    { role: 'system', content: instructions },
    ...messages.map(({ role, text }) => ({ role, content: text })),
  ])
}

/** Failures before the first byte of an answer, with the bodies of the API's error pages. */
async function failureOf(wire: Wire, { fault, delayMs }: PlannedAnswer, signal: AbortSignal): Promise<Response | null> {
  if (delayMs > 0) await sleep(delayMs, signal)
  if (fault === null) return null
  if (fault === 'slow' || fault === 'no_headers') await sleep(SLOW_MS, signal)
  if (fault === 'html')
    return new Response('<!doctype html><title>Sign in</title>', { headers: { 'content-type': 'text/html' } })
  const failure = wire.failure(fault)
  return failure && refuse(failure)
}

function refuse(failure: WireFailure | null): Response {
  const { status, body, headers } = failure ?? { status: 500, body: null, headers: {} }
  return Response.json(body, { status, headers })
}

function streamOf(events: Iterable<StreamEvent>, signal: AbortSignal): Response {
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      try {
        for (const event of events) {
          if (signal.aborted) return
          if ('waitMs' in event) await sleep(event.waitMs, signal)
          else if ('cut' in event) {
            // What was sent has to leave first.
            await sleep(20, signal)
            controller.error(new Error('The connection is cut off.'))
            return
          } else if ('done' in event) controller.enqueue(encoder.encode('data: [DONE]\n\n'))
          else {
            const name = event.event ? `event: ${event.event}\n` : ''
            controller.enqueue(encoder.encode(`${name}data: ${JSON.stringify(event.data)}\n\n`))
          }
        }
        controller.close()
      } catch (error) {
        if (!signal.aborted) controller.error(error)
      }
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } })
}

function cutOff(): Response {
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode('{"id":"chatcmpl-1","choi'))
      await sleep(20, AbortSignal.timeout(1_000))
      controller.error(new Error('The connection is cut off.'))
    },
  })
  return new Response(body, { headers: { 'content-type': 'application/json' } })
}

const DIMENSIONS = 64

/** Vectors in which texts with the same words are near each other. */
function embed(body: unknown): Response {
  const input = typeof body === 'object' && body !== null && 'input' in body ? body.input : null
  const texts = typeof input === 'string' ? [input] : Array.isArray(input) ? input.map(String) : []
  if (texts.length === 0) return apiError(400, 'invalid_request_error', 'invalid_value', "'input' is missing.")
  const data = texts.map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text) }))
  const tokens = texts.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0)
  return Response.json({
    object: 'list',
    data,
    model: 'sandbox-embedding',
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  })
}

function vectorOf(text: string): number[] {
  const vector = new Array<number>(DIMENSIONS).fill(0)
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const at = Number(Bun.hash(word) % BigInt(DIMENSIONS))
    vector[at] = (vector[at] ?? 0) + 1
  }
  const length = Math.hypot(...vector) || 1
  return vector.map((value) => value / length)
}

export function apiError(
  status: number,
  type: string,
  code: string | null,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ error: { message, type, param: null, code } }, { status, headers })
}

async function readJson(request: Request): Promise<unknown> {
  try {
    return await request.json()
  } catch {
    return null
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  signal.addEventListener('abort', () => resolve(), { once: true })
  if (signal.aborted) resolve()
  await promise
  clearTimeout(timer)
}
