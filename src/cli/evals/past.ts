import type { Past } from '../../domain/scenarios/index.ts'
import { take } from '../arguments.ts'
import type { Cli } from '../session.ts'

const MAX_MESSAGES = 400

/** A call as it was said. What the caller said is there where it was transcribed. */
export async function pastCall({ session }: Cli, id: string, preset: Past['preset']): Promise<Past> {
  const { client } = await session()
  const call = await client.calls.get.query({ id })
  const texts = await client.receptionist.texts.query()
  const { language } = await client.businesses.get.query()
  return {
    ...{ id: call.id, kind: 'call', preset, language, knowledge: texts.items },
    names: [call.contactName, call.lead?.name ?? null].flatMap((name) => name ?? []),
    lines: call.turns.map(({ role, text, startMs }) => ({
      who: role === 'caller' ? ('customer' as const) : ('agent' as const),
      text,
      at: startMs,
    })),
  }
}

/** The written part of a conversation. */
export async function pastConversation({ session }: Cli, id: string, preset: Past['preset']): Promise<Past> {
  const { client } = await session()
  const conversation = await client.conversations.get.query({ id })
  const { contactId } = conversation
  const [messages, runs, texts, leads, business] = await Promise.all([
    take(MAX_MESSAGES, (page) => client.messages.list.query({ ...page, contactId })),
    take(MAX_MESSAGES, (page) => client.agent.runs.query({ ...page, conversationId: id })),
    client.receptionist.texts.query(),
    client.leads.list.query({ contactId, limit: 20 }),
    client.businesses.get.query(),
  ])
  const byAgent = new Set(runs.flatMap(({ sentMessageId }) => sentMessageId ?? []))
  return {
    ...{ id, kind: 'conversation', preset, language: business.language, knowledge: texts.items },
    names: [conversation.contactName, ...leads.items.map(({ name }) => name)].flatMap((name) => name ?? []),
    lines: messages.toReversed().map((message) => ({
      who: message.direction === 'in' ? 'customer' : byAgent.has(message.id) ? 'agent' : 'person',
      text: message.body,
      at: new Date(message.createdAt).getTime(),
    })),
  }
}
