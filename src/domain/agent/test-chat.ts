import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { parsePhone } from '../../lib/phone.ts'
import { typedText } from '../../lib/text.ts'
import type { BusinessContext } from '../context.ts'
import { getDraft, putSettingsForTrial } from '../receptionist/index.ts'
import { openTestChat } from './chat.ts'
import type { Respond } from './respond.ts'

/** A number that no customer writes from: of those that are kept for fiction (NANPA, 555-0100 to 555-0199). */
export const NO_CUSTOMER = '+12025550100'

const words = typedText().trim().min(1).max(2_000)
const toolRun = z.object({ name: z.string().max(60), input: z.unknown(), error: z.string().max(2_000).optional() })

export const testChatInput = z.object({
  /** With the draft, where there is one; otherwise with the version in force. */
  draft: z.boolean().default(true),
  /** As this customer, who is remembered; as a stranger when absent. */
  phone: z.string().max(40).optional(),
  /** What the customer writes now, each a message of its own. */
  texts: z.array(words).min(1).max(10),
  /** The turns before, as they were answered. */
  history: z
    .array(
      z.object({
        at: z.iso.datetime({ offset: true }),
        texts: z.array(words).min(1).max(10),
        reply: z
          .object({
            text: z.string().max(4_000),
            handover: z.string().max(500).nullable(),
            tools: z.array(toolRun).max(40),
            dialogue: z.record(z.string(), z.unknown()).nullable(),
          })
          .nullable(),
      }),
    )
    .max(60)
    .default([]),
})

export const testChatView = z.object({
  at: z.date(),
  /** Null when the agent is silent. */
  reply: z
    .object({
      text: z.string(),
      language: z.enum(['he', 'en']),
      engine: z.enum(['rules', 'model']),
      model: z.string().nullable(),
      /** Why a person takes over; null while the agent goes on. */
      handover: z.string().nullable(),
      tools: z.array(
        z.object({
          name: z.string(),
          input: z.unknown(),
          output: z.unknown().optional(),
          error: z.string().optional(),
        }),
      ),
      sources: z.array(z.object({ title: z.string(), kind: z.string() })),
      /** What was found in answers that were not sent. */
      guard: z.array(z.string()),
      gaps: z.array(z.string()),
      dialogue: z.record(z.string(), z.unknown()).nullable(),
      /** Millionths of a dollar; null when the price is not known. */
      costMicros: z.number().nullable(),
    })
    .nullable(),
  silence: z.string().nullable(),
  agent: z.enum(['on', 'paused', 'off']),
  thinkingMs: z.number(),
})

/**
 * Answers what a member writes as a customer would: tools do what they do, and nothing of it is kept. The turns before are given
 * with each, so that any server goes on.
 * @throws AppError `invalid_number`
 */
export async function sayInTestChat(
  ctx: BusinessContext,
  input: z.input<typeof testChatInput>,
  { respond, signal }: { respond: Respond; signal?: AbortSignal | undefined },
): Promise<z.output<typeof testChatView>> {
  const { draft, phone, texts, history } = testChatInput.parse(input)
  const number = phone === undefined ? NO_CUSTOMER : parsePhone(phone)
  if (!number) throw new AppError('invalid', 'invalid_number', 'This is no phone number.', { field: 'phone' })
  const { exists, content } = await getDraft(ctx)
  const chat = await openTestChat(ctx, {
    ...{ respond, phone: number, dryRun: true, isTrusted: true },
    ...(draft && exists
      ? { texts: content.texts, prepare: (inner) => putSettingsForTrial(inner, content.settings) }
      : {}),
    history: history.map(({ at, ...turn }) => ({
      ...{ ...turn, at: new Date(at), person: null },
      reply: turn.reply && {
        ...turn.reply,
        tools: turn.reply.tools.map(({ name, input: given, error }) => ({
          name,
          input: given,
          ...(error === undefined ? {} : { error }),
        })),
      },
    })),
  })
  const at = new Date()
  const { reply, silence, agent, thinkingMs } = await chat.say(texts, at, signal)
  return {
    at,
    reply: reply && {
      ...{ text: reply.text, language: reply.language, engine: reply.engine, model: reply.model ?? null },
      ...{ handover: reply.handover, tools: reply.tools, sources: reply.sources, guard: reply.guard },
      ...{ gaps: reply.gaps, dialogue: reply.dialogue, costMicros: reply.costMicros ?? null },
    },
    silence,
    agent,
    thinkingMs: Math.round(thinkingMs),
  }
}
