import { z } from 'zod'
import { answerJson } from './chat-model.ts'

export const restPlan = z.object({
  /** Transcripts, one per request; after them the last one again. */
  transcripts: z.array(z.string()).default(['My name is Dana Levi.']),
  /** Contents of chat completions, one per request; after them the last one again. Without any, the simulated model answers. */
  completions: z.array(z.string()).default([]),
  /** Answers the next requests with these statuses. */
  failures: z.array(z.int().min(400).max(599)).default([]),
})
export type RestPlan = z.output<typeof restPlan>

const chatRequest = z.object({
  model: z.string().min(1),
  messages: z
    .array(z.object({ role: z.enum(['system', 'developer', 'user', 'assistant']), content: z.string() }))
    .min(1),
  response_format: z
    .discriminatedUnion('type', [z.object({ type: z.literal('json_object') }), z.object({ type: z.literal('text') })])
    .default({ type: 'text' }),
})

/** The file's name tells its format (API reference, "Create transcription"). */
const FORMATS = new Set(['flac', 'mp3', 'mp4', 'mpeg', 'mpga', 'm4a', 'ogg', 'wav', 'webm'])

/** `GET /v1/models`, `POST /v1/audio/transcriptions` and `POST /v1/chat/completions`. */
export async function answerRest(request: Request, url: URL, plan: RestPlan): Promise<Response> {
  const failure = plan.failures.shift()
  if (failure) return error(failure, 'injected', 'Injected failure')
  if (request.method === 'GET' && url.pathname === '/v1/models') return Response.json({ object: 'list', data: [] })
  if (request.method === 'POST' && url.pathname === '/v1/audio/transcriptions') {
    const form = await request.formData()
    const file = form.get('file')
    if (!(file instanceof Blob) || file.size === 0) return error(400, 'missing_file', 'The file is missing.')
    if (typeof form.get('model') !== 'string') return error(400, 'missing_model', 'The model is missing.')
    const extension = file instanceof File ? (file.name.split('.').at(-1) ?? '') : ''
    if (!FORMATS.has(extension))
      return error(400, 'invalid_value', `Unrecognized file format. Supported: ${[...FORMATS]}`)
    return Response.json({ text: next(plan.transcripts), usage: { type: 'duration', seconds: 1 } })
  }
  if (request.method === 'POST' && url.pathname === '/v1/chat/completions') {
    return completeChat(await request.json(), plan)
  }
  return error(404, 'not_found', `There is nothing at ${url.pathname}.`)
}

function completeChat(body: unknown, plan: RestPlan): Response {
  const parsed = chatRequest.safeParse(body)
  if (!parsed.success) return error(400, 'invalid_value', parsed.error.issues[0]?.message ?? 'Invalid request')
  const { model, messages, response_format: format } = parsed.data
  const isJson = format.type === 'json_object'
  if (isJson && !messages.some(({ content }) => /json/i.test(content)))
    return error(
      400,
      'invalid_value',
      "'messages' must contain the word 'json' to use 'response_format' of type 'json_object'.",
    )
  const scripted = plan.completions.length > 0 ? next(plan.completions) : null
  const content = scripted ?? (isJson ? answerJson(messages) : 'Yes.')
  const tokensOf = (text: string) => Math.ceil(text.length / 4)
  const prompt_tokens = messages.reduce((sum, message) => sum + tokensOf(message.content), 0)
  const completion_tokens = tokensOf(content)
  return Response.json({
    id: `chatcmpl-${crypto.randomUUID()}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [
      { index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: 'stop' },
    ],
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
  })
}

function next(list: string[]): string {
  return (list.length > 1 ? list.shift() : list[0]) ?? ''
}

function error(status: number, code: string, message: string): Response {
  return Response.json({ error: { message, type: 'invalid_request_error', param: null, code } }, { status })
}
