import { z } from 'zod'

/** What the REST side answers. */
export const restPlan = z.object({
  /** Transcripts, one a request; used up, the last one again. */
  transcripts: z.array(z.string()).default(['My name is Dana Levi.']),
  /** Contents of chat completions, one a request; used up, the last one again. */
  completions: z.array(z.string()).default(['{}']),
  /** Answers the next requests with this status. */
  failures: z.array(z.int().min(400).max(599)).default([]),
})
export type RestPlan = z.output<typeof restPlan>

const chatRequest = z.object({
  model: z.string().min(1),
  messages: z
    .array(z.object({ role: z.enum(['system', 'developer', 'user', 'assistant']), content: z.string() }))
    .min(1),
})

/** A format is known by the file's name (API reference, "Create transcription"). */
const FORMATS = new Set(['flac', 'mp3', 'mp4', 'mpeg', 'mpga', 'm4a', 'ogg', 'wav', 'webm'])

/** `GET /v1/models`, `POST /v1/audio/transcriptions` and `POST /v1/chat/completions`; null plan entries are used in order. */
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
    const parsed = chatRequest.safeParse(await request.json())
    if (!parsed.success) return error(400, 'invalid_value', parsed.error.issues[0]?.message ?? 'Invalid request')
    return Response.json({
      id: 'chatcmpl-sandbox',
      object: 'chat.completion',
      created: Math.floor(Date.now() / 1000),
      model: parsed.data.model,
      choices: [{ index: 0, message: { role: 'assistant', content: next(plan.completions) }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
    })
  }
  return error(404, 'not_found', `There is nothing at ${url.pathname}.`)
}

function next(list: string[]): string {
  return (list.length > 1 ? list.shift() : list[0]) ?? ''
}

function error(status: number, code: string, message: string): Response {
  return Response.json({ error: { message, type: 'invalid_request_error', param: null, code } }, { status })
}
