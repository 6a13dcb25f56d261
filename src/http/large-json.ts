import { AppError } from '../lib/errors.ts'
import { readJson } from './errors.ts'
import { refuseComplexJson } from './json-complexity.ts'
import type { JsonReply, JsonRequest } from './json-worker.ts'
import { BODY_LIMITS, readUncheckedBytes, tooManyBodies } from './request-body.ts'

/** Parsing a smaller body takes less time than starting a thread. */
const INLINE_BYTES = 256 * 1024
const READ_MS = 20_000

/** Up to 10 MB each, beside the one that is parsed. */
const MAX_WAITING = 8

/** One thread at a time: several large bodies at once would take every core from live calls. */
let queue: Promise<unknown> = Promise.resolve()
let pending = 0

/**
 * The JSON body of an import; a large one is parsed in its own thread. Undefined for an empty body.
 * @throws AppError as `readBytes`, also when too many large bodies wait to be parsed; `invalid_json`, `body_not_read`
 */
export async function readLargeJson(request: Request): Promise<unknown> {
  const bytes = await readUncheckedBytes(request, BODY_LIMITS.import)
  if (bytes.length > INLINE_BYTES) return await enqueue({ bytes, as: 'value' })
  refuseComplexJson(bytes)
  const text = new TextDecoder().decode(bytes)
  return text.trim() === '' ? undefined : readJson(text)
}

/** The same body as text, for a library that parses it. @throws AppError as `readBytes`; `body_not_read` */
export async function readLargeText(request: Request): Promise<string> {
  const bytes = await readUncheckedBytes(request, BODY_LIMITS.import)
  if (bytes.length > INLINE_BYTES) return String(await enqueue({ bytes, as: 'text' }))
  refuseComplexJson(bytes)
  return new TextDecoder().decode(bytes)
}

async function enqueue(request: JsonRequest): Promise<unknown> {
  if (pending > MAX_WAITING) throw tooManyBodies()
  pending++
  const result = queue
    .then(() => readInThread(request))
    .finally(() => {
      pending--
    })
  queue = result.catch(() => undefined)
  return await result
}

async function readInThread(request: JsonRequest): Promise<unknown> {
  const worker = new Worker(new URL('./json-worker.ts', import.meta.url), { smol: true })
  const reply = Promise.withResolvers<JsonReply>()
  const fail = () => reply.resolve({ kind: 'failed' })
  const timer = setTimeout(fail, READ_MS)
  try {
    worker.onmessage = ({ data }: MessageEvent<JsonReply>) => reply.resolve(data)
    worker.onerror = fail
    worker.postMessage(request)
    const answer = await reply.promise
    if (answer.kind === 'read') return answer.value
    if (answer.kind === 'failed')
      throw new AppError('unavailable', 'body_not_read', 'The body could not be read. Send it again.')
    const { kind, code, message } = answer.error
    throw new AppError(kind, code, message, { field: 'body' })
  } finally {
    clearTimeout(timer)
    worker.terminate()
  }
}
