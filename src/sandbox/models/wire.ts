import { messagesAnswer, messagesError, messagesFailure, messagesStream, parseMessagesRequest } from './anthropic.ts'
import {
  chatCompletion,
  chatStream,
  openAiFailure,
  responsesAnswer,
  responsesStream,
  type StreamEvent,
} from './encode.ts'
import {
  errorOf,
  generateContentAnswer,
  generateContentFailure,
  generateContentStream,
  parseGenerateContent,
} from './google.ts'
import { type ParsedRequest, parseChatRequest, parseResponsesRequest } from './requests.ts'
import type { ModelFault, ModelView, PlannedAnswer, WireFailure } from './rules.ts'

/** How one API is asked and answers. */
export type Wire = {
  parse(body: unknown, path: string): ParsedRequest
  whole(view: ModelView, answer: PlannedAnswer): unknown
  stream(view: ModelView, answer: PlannedAnswer, includeUsage: boolean): Iterable<StreamEvent>
  /** What is answered in place of a stream or an answer; null where the failure comes later. */
  failure(fault: ModelFault): WireFailure | null
  /** A request that the API does not take. */
  invalid(problem: string): unknown
}

const invalidOpenAi = (message: string) => ({
  error: { message, type: 'invalid_request_error', param: null, code: 'invalid_value' },
})

const CHAT: Wire = {
  parse: parseChatRequest,
  whole: chatCompletion,
  stream: chatStream,
  failure: openAiFailure,
  invalid: invalidOpenAi,
}
const RESPONSES: Wire = { ...CHAT, parse: parseResponsesRequest, whole: responsesAnswer, stream: responsesStream }
const MESSAGES: Wire = {
  parse: parseMessagesRequest,
  whole: messagesAnswer,
  stream: messagesStream,
  failure: messagesFailure,
  invalid: (problem) => messagesError('invalid_request_error', problem),
}
const GENERATE_CONTENT: Wire = {
  parse: parseGenerateContent,
  whole: generateContentAnswer,
  stream: generateContentStream,
  failure: generateContentFailure,
  invalid: (problem) => errorOf(400, 'INVALID_ARGUMENT', problem),
}

/** The API at a path; null where there is none. */
export function wireAt(path: string): Wire | null {
  if (path.endsWith('/chat/completions')) return CHAT
  if (path.endsWith('/responses')) return RESPONSES
  if (path.endsWith('/messages')) return MESSAGES
  return /\/models\/[^/:]+:(?:g|streamG)enerateContent$/.test(path) ? GENERATE_CONTENT : null
}
