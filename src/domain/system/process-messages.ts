import { sql } from 'drizzle-orm'
import { z } from 'zod'
import type { DatabaseHandle } from '../../../db/client.ts'
import { AppError, type ErrorKind, errorMessage, isErrorKind, toAppError } from '../../lib/errors.ts'
import { newId, sha256Hex } from '../../lib/ids.ts'
import { withTimeout } from '../../lib/timeout.ts'
import type { DomainContext } from '../context.ts'

/** Messages between processes by NOTIFY, a channel each. Nothing is stored; a dead process answers nothing. */
export type ProcessMessages = {
  readonly processId: string
  start(): Promise<void>
  /** @param answer takes what another process asks; its errors reach the asker */
  onQuestion(answer: (body: unknown, from: string) => Promise<unknown>): void
  onMessage(take: (body: unknown, from: string) => void): void
  /** Asks a process, also one's own. @throws AppError the other's, or `process_silent` after the timeout */
  ask(processId: string, body: unknown, timeoutMs: number): Promise<unknown>
  /** Tells a process; resolves once Postgres has it. @throws AppError `message_too_long` above 8,000 bytes */
  tell(processId: string, body: unknown): Promise<void>
  stop(): Promise<void>
}

/** "In the default configuration it must be shorter than 8000 bytes" (PostgreSQL, NOTIFY). */
const MAX_BYTES = 7_999

const message = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('question'), id: z.string(), from: z.string(), body: z.unknown() }),
  z.object({ kind: z.literal('answer'), id: z.string(), body: z.unknown() }),
  z.object({
    kind: z.literal('refusal'),
    id: z.string(),
    error: z.object({ kind: z.custom<ErrorKind>(isErrorKind), code: z.string(), message: z.string() }),
  }),
  z.object({ kind: z.literal('message'), from: z.string(), body: z.unknown() }),
])
type Message = z.infer<typeof message>

export function createProcessMessages(options: {
  ctx: DomainContext
  sql: DatabaseHandle['sql']
  processId: string
}): ProcessMessages {
  const { ctx, processId } = options
  const waiting = new Map<string, { resolve(body: unknown): void; reject(error: AppError): void }>()
  let answer: ((body: unknown, from: string) => Promise<unknown>) | null = null
  let take: ((body: unknown, from: string) => void) | null = null
  let listening: { unlisten(): Promise<void> } | null = null

  async function send(to: string, content: Message): Promise<void> {
    const text = JSON.stringify(content)
    if (Buffer.byteLength(text) > MAX_BYTES)
      throw new AppError('too_large', 'message_too_long', `A message to a process has at most ${MAX_BYTES} bytes.`)
    await ctx.db.execute(sql`select pg_notify(${channelOf(to)}, ${text})`)
  }

  async function reply({ id, from, body }: Extract<Message, { kind: 'question' }>): Promise<void> {
    try {
      if (!answer) throw new AppError('unavailable', 'process_silent', 'The process does not answer questions.')
      await send(from, { kind: 'answer', id, body: await answer(body, from) })
    } catch (error) {
      const { kind, code, message: text } = toAppError(error)
      await send(from, { kind: 'refusal', id, error: { kind, code, message: text } })
    }
  }

  function receive(text: string): void {
    const read = message.safeParse(parse(text))
    if (!read.success) return
    const got = read.data
    if (got.kind === 'message') take?.(got.body, got.from)
    else if (got.kind === 'answer') waiting.get(got.id)?.resolve(got.body)
    else if (got.kind === 'refusal')
      waiting.get(got.id)?.reject(new AppError(got.error.kind, got.error.code, got.error.message))
    else
      reply(got).catch((error: unknown) => ctx.log.warn({ error: errorMessage(error) }, 'answer to a process not sent'))
  }

  return {
    processId,
    async start() {
      listening = await options.sql.listen(channelOf(processId), receive)
    },
    onQuestion(handler) {
      answer = handler
    },
    onMessage(handler) {
      take = handler
    },
    async ask(to, body, timeoutMs) {
      if (to === processId && answer) return await answer(body, to)
      const id = newId()
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      waiting.set(id, { resolve, reject })
      // A stop may refuse it while the question is still being sent.
      promise.catch(() => {})
      try {
        await send(to, { kind: 'question', id, from: processId, body })
        return await withTimeout(promise, timeoutMs, silent)
      } finally {
        waiting.delete(id)
      }
    },
    tell: (to, body) => send(to, { kind: 'message', from: processId, body }),
    async stop() {
      for (const { reject } of waiting.values()) reject(silent())
      await listening?.unlisten()
    },
  }
}

/** Names are cut at 63 bytes (PostgreSQL, identifiers). */
function channelOf(processId: string): string {
  return `agentlocator_process_${sha256Hex(processId).slice(0, 32)}`
}

function silent(): AppError {
  return new AppError('unavailable', 'process_silent', 'The server that has the call did not answer. Try again.')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
