import { z } from 'zod'
import { answerModelRequest } from '../models/answer.ts'
import { modelRule } from '../models/rules.ts'

export const restPlan = z.object({
  /** Transcripts, one per request; after them the last one again. */
  transcripts: z.array(z.string()).default(['My name is Dana Levi.']),
  /** Answers of the text model, one per request; after them the last one again. Without any, its rules answer. */
  completions: z.array(z.string()).default([]),
  rules: z.array(modelRule).default([]),
  /** Answers the next requests with these statuses. */
  failures: z.array(z.int().min(400).max(599)).default([]),
})
export type RestPlan = z.output<typeof restPlan>

/** The file's name tells its format (API reference, "Create transcription"). */
const FORMATS = new Set(['flac', 'mp3', 'mp4', 'mpeg', 'mpga', 'm4a', 'ogg', 'wav', 'webm'])

/** `GET /v1/models`, `POST /v1/audio/transcriptions`, and the text model's requests. */
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
  const scripted = plan.completions.length > 0 ? next(plan.completions) : null
  const rules = scripted === null ? plan.rules : [modelRule.parse({ steps: [{ say: scripted }] })]
  const answered = await answerModelRequest(request, url.pathname, { rules, transcripts: [] })
  if (answered) return answered
  return error(404, 'not_found', `There is nothing at ${url.pathname}.`)
}

function next(list: string[]): string {
  return (list.length > 1 ? list.shift() : list[0]) ?? ''
}

function error(status: number, code: string, message: string): Response {
  return Response.json({ error: { message, type: 'invalid_request_error', param: null, code } }, { status })
}
