import { z } from 'zod'
import { piecesOf, type StreamEvent, usageOf } from './encode.ts'
import { type ParsedRequest, problemOf } from './requests.ts'
import type { ModelFault, ModelView, PlannedAnswer, WireFailure } from './rules.ts'

const text = z.string()
const part = z.union([
  z.looseObject({ text }),
  z.looseObject({ functionCall: z.looseObject({ name: text.min(1), args: z.record(text, z.unknown()).default({}) }) }),
  z.looseObject({ functionResponse: z.looseObject({ name: text.min(1), response: z.record(text, z.unknown()) }) }),
  z.looseObject({ inlineData: z.looseObject({ mimeType: text.min(1), data: z.base64() }) }),
  z.looseObject({ fileData: z.looseObject({ fileUri: text.min(1) }) }),
])
type Part = z.output<typeof part>

/** `models.generateContent` (Gemini API reference): the fields that are played. The roles are user and model alone. */
const generateContentRequest = z.looseObject({
  contents: z
    .array(z.looseObject({ role: z.enum(['user', 'model']).default('user'), parts: z.array(part).min(1) }))
    .min(1),
  systemInstruction: z.looseObject({ parts: z.array(z.looseObject({ text })) }).optional(),
  tools: z
    .array(z.looseObject({ functionDeclarations: z.array(z.looseObject({ name: text.min(1) })).default([]) }))
    .default([]),
  generationConfig: z.looseObject({ responseMimeType: text.optional() }).optional(),
})

/** @param path `…/models/{model}:generateContent` or `:streamGenerateContent` */
export function parseGenerateContent(body: unknown, path: string): ParsedRequest {
  const parsed = generateContentRequest.safeParse(body)
  if (!parsed.success) return { problem: problemOf(parsed.error) }
  const { contents, systemInstruction, tools, generationConfig } = parsed.data
  const [, model = '', method] = /\/models\/([^/:]+):(\w+)$/.exec(path) ?? []
  const view: ModelView = {
    ...{ model, stream: method === 'streamGenerateContent', messages: [] },
    json: generationConfig?.responseMimeType === 'application/json',
    instructions: (systemInstruction?.parts ?? []).map((each) => each.text).join('\n'),
    tools: tools.flatMap((tool) => tool.functionDeclarations.map(({ name }) => name)),
  }
  let open: string[] = []
  for (const { role, parts } of contents) {
    const results = parts.flatMap((each) => responseOf(each) ?? [])
    if (results.length !== open.length || results.some(({ name }, at) => name !== open[at]))
      return {
        problem:
          'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.',
      }
    for (const { response } of results)
      view.messages.push({ role: 'tool', text: JSON.stringify(response), files: 0, calls: [] })
    open = parts.flatMap((each) => callOf(each) ?? [])
    const said = parts.flatMap((each) => ('text' in each && typeof each.text === 'string' ? [each.text] : []))
    const files = parts.filter((each) => 'inlineData' in each || 'fileData' in each).length
    if (said.length > 0 || files > 0 || open.length > 0)
      view.messages.push({ role: role === 'model' ? 'assistant' : 'user', text: said.join('\n'), files, calls: open })
  }
  return { view, includeUsage: true }
}

const responseOf = (each: Part) =>
  'functionResponse' in each ? (each.functionResponse as { name: string; response: unknown }) : null
const callOf = (each: Part) => ('functionCall' in each ? (each.functionCall as { name: string }).name : null)

/** What `finishReason` says of a fault. Arguments that are no JSON never reach the wire: the answer ends as malformed. */
const REASONS: Partial<Record<ModelFault, string>> = {
  length: 'MAX_TOKENS',
  content_filter: 'SAFETY',
  nonsense_arguments: 'MALFORMED_FUNCTION_CALL',
}
const SAFETY = [{ category: 'HARM_CATEGORY_HARASSMENT', probability: 'HIGH', blocked: true }]

type Piece = { text: string } | { functionCall: { name: string; args: unknown } }

function chunk(view: ModelView, answer: PlannedAnswer, parts: Piece[], finishReason?: string) {
  const { input, output } = usageOf(view, answer)
  const blocked = finishReason === 'SAFETY'
  return {
    candidates: [
      {
        ...(blocked ? { safetyRatings: SAFETY } : { content: { parts, role: 'model' } }),
        ...(finishReason ? { finishReason } : {}),
        index: 0,
      },
    ],
    ...(answer.fault === 'no_usage'
      ? {}
      : {
          usageMetadata: { promptTokenCount: input, candidatesTokenCount: output, totalTokenCount: input + output },
        }),
    ...{ modelVersion: view.model, responseId: crypto.randomUUID().slice(0, 22) },
  }
}

function callsOf({ calls, fault }: PlannedAnswer): Piece[] {
  if (fault === 'nonsense_arguments') return []
  return calls.map(({ name, args }) => ({ functionCall: { name, args: JSON.parse(args) as unknown } }))
}

/** A prompt that is refused has no candidates. */
function refusedPrompt(view: ModelView, answer: PlannedAnswer) {
  const { input } = usageOf(view, answer)
  return {
    promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
    usageMetadata: { promptTokenCount: input, totalTokenCount: input },
    modelVersion: view.model,
  }
}

const reasonOf = ({ fault }: PlannedAnswer) => (fault && REASONS[fault]) ?? 'STOP'

export function generateContentAnswer(view: ModelView, answer: PlannedAnswer): unknown {
  if (answer.fault === 'refusal') return refusedPrompt(view, answer)
  const said: Piece[] = answer.text ? [{ text: answer.text }] : []
  return chunk(view, answer, [...said, ...callsOf(answer)], reasonOf(answer))
}

/** With `alt=sse`, each event is a `GenerateContentResponse` of its own, and nothing marks the end but the last `finishReason`. */
export function* generateContentStream(view: ModelView, answer: PlannedAnswer): Generator<StreamEvent> {
  if (answer.fault === 'stalls') yield { waitMs: 120_000 }
  if (answer.fault === 'refusal') return yield { data: refusedPrompt(view, answer) }
  for (const [at, piece] of piecesOf(answer.text).entries()) {
    if (at === 2 && answer.fault === 'cut_off') return yield { cut: true }
    if (at === 2 && answer.fault === 'stream_error')
      return yield { data: errorOf(503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.') }
    yield { data: chunk(view, answer, [{ text: piece }]) }
  }
  yield { data: chunk(view, answer, callsOf(answer).length > 0 ? callsOf(answer) : [{ text: '' }], reasonOf(answer)) }
}

const QUOTA =
  'You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.'
const type = (name: string) => `type.googleapis.com/google.rpc.${name}`
const violations = (quotaId: string) => ({ '@type': type('QuotaFailure'), violations: [{ quotaId }] })

/** `google.rpc.Status` as JSON. A limit by the minute and one that is used up have the same words: the details tell them apart. */
const FAILURES: Partial<Record<ModelFault, [status: number, code: string, message: string, details?: object[]]>> = {
  rate_limited: [
    ...([429, 'RESOURCE_EXHAUSTED', QUOTA] as const),
    [violations('GenerateRequestsPerMinutePerProjectPerModel'), { '@type': type('RetryInfo'), retryDelay: '1.5s' }],
  ],
  insufficient_quota: [
    ...([429, 'RESOURCE_EXHAUSTED', QUOTA] as const),
    [violations('GenerateRequestsPerDayPerProjectPerModel-FreeTier')],
  ],
  unauthorized: [
    ...([400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.'] as const),
    [{ '@type': type('ErrorInfo'), reason: 'API_KEY_INVALID', domain: 'googleapis.com' }],
  ],
  server_error: [500, 'INTERNAL', 'An internal error has occurred.'],
  overloaded: [503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.'],
  too_long: [
    ...([400, 'INVALID_ARGUMENT'] as const),
    'The input token count (1053841) exceeds the maximum number of tokens allowed (1048576).',
  ],
}

export function generateContentFailure(fault: ModelFault): WireFailure | null {
  const found = FAILURES[fault]
  if (!found) return null
  const [status, code, message, details] = found
  return { status, body: errorOf(status, code, message, details), headers: {} }
}

export function errorOf(code: number, status: string, message: string, details?: object[]): unknown {
  return { error: { code, message, status, ...(details ? { details } : {}) } }
}
