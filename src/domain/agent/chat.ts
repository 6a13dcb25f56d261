import type { AgentToolRun } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { getBusiness } from '../businesses/index.ts'
import type { BusinessContext } from '../context.ts'
import { getProfile } from '../receptionist/index.ts'
import { type AgentReply, keepRun } from './record.ts'
import type { Respond } from './respond.ts'
import { readAgentSettings } from './settings.ts'
import { asksForAgent, decideSilence, type SilenceReason } from './silence.ts'
import type { Situation, ThreadMessage } from './situation.ts'
import { createTrial, inTrial, placeOf, type TrialTurn } from './trial.ts'

export type ChatOptions = {
  respond: Respond
  /** Whose conversation it is; an existing contact is remembered as on WhatsApp. */
  phone: string
  /** What tools write is undone after each turn, and done again before the next: nothing of it stays. */
  dryRun: boolean
  /** A member tries it: it may be written to as often and as fast as they like. */
  isTrusted?: boolean
  /** In a dry run: writes what is given before each look. */
  prepare?(ctx: BusinessContext): Promise<void>
  /** In a dry run: in place of the texts of the version in force. */
  texts?: readonly { title: string; body: string }[] | null
  /** Called before each tool; what it throws fails the tool. */
  beforeTool?(name: string): void
  /** What was said before, where a chat goes on. */
  history?: readonly PastTurn[]
}

/** A turn that was: what the customer wrote with what was answered, or what a member wrote. */
export type PastTurn = {
  at: Date
  texts: readonly string[]
  person: string | null
  reply: {
    text: string
    handover: string | null
    tools: readonly Pick<AgentToolRun, 'name' | 'input' | 'error'>[]
    dialogue: Record<string, unknown> | null
  } | null
}

export type ChatTurn = {
  /** Null when the agent is silent. */
  reply: AgentReply | null
  silence: SilenceReason | null
  agent: 'on' | 'paused' | 'off'
  thinkingMs: number
}

export type TestChat = {
  /** What the customer writes, each a message of its own, and what is answered to all of it. */
  say(texts: readonly string[], now: Date, signal?: AbortSignal): Promise<ChatTurn>
  /** A member writes, which pauses the agent. */
  writeAsPerson(text: string, now: Date): void
  /** Reads with what the tools did in place. */
  look<Value>(read: (ctx: BusinessContext) => Promise<Value>, now: Date): Promise<Value>
}

/**
 * A conversation with the agent that goes through no provider: its messages are in memory, its time is given, its tools are the
 * real ones.
 */
export async function openTestChat(ctx: BusinessContext, options: ChatOptions): Promise<TestChat> {
  const business = await getBusiness(ctx)
  const recent: ThreadMessage[] = []
  const earlier: TrialTurn[] = []
  let state: Situation['state'] = null

  async function situationOf(burst: ThreadMessage[], now: Date): Promise<Situation> {
    const settings = await readAgentSettings(ctx.db, ctx)
    const trial = options.dryRun ? createTrial(ctx, { ...options, earlier: [...earlier] }, now) : null
    const nowhere = { contact: NO_CONTACT, conversation: { id: '', assigneeId: null, lastInboundAt: now } }
    const situation = {
      settings: { ...settings, enabledAt: new Date(0) },
      ...{ business, state, burst, recent: [...recent], ...nowhere },
      ...(options.beforeTool ? { beforeTool: options.beforeTool } : {}),
      ...(trial ? { trial } : {}),
    }
    const place = trial
      ? await trial.run(situation, [], async (_, { contact, conversation }) => ({ contact, conversation }))
      : await placeOf(ctx, options.phone, now)
    return { ...situation, ...place }
  }

  function follow(situation: Situation, reply: NonNullable<PastTurn['reply']>, now: Date): void {
    earlier.push({ situation, now, tools: reply.tools })
    state = nextState(situation, reply, now)
    for (const each of situation.burst) each.answered = true
    recent.push(message(reply.text, 'out', 'agent', new Date(now.getTime() + 1)))
  }

  for (const { at, texts, person, reply } of options.history ?? []) {
    if (person !== null) recent.push(message(person, 'out', 'person', at))
    const burst = texts.map((body) => message(body, 'in', null, at))
    recent.push(...burst)
    const settings = await readAgentSettings(ctx.db, ctx)
    const place = { contact: NO_CONTACT, conversation: { id: '', assigneeId: null, lastInboundAt: at } }
    if (reply) follow({ settings, business, state, burst, recent: [...recent], ...place }, reply, at)
    for (const each of burst) each.answered = true
  }

  return {
    async say(texts, now, signal = new AbortController().signal) {
      const burst = texts.map((body) => message(body, 'in', null, now))
      recent.push(...burst)
      const situation = await situationOf(burst, now)
      const found = await inTrial(ctx, situation, async (inner, there) => {
        const { settings: profile } = await getProfile(inner)
        const facts = { ownPhones: [], alertReply: false, reminderReply: false, hours: profile.hours }
        return decideSilence(there, facts, now)
      })
      const silence = found === 'loop' && options.isTrusted ? null : found
      if (silence) {
        for (const each of burst) each.answered = true
        return { reply: null, silence, agent: modeOf(state), thinkingMs: 0 }
      }
      const begun = performance.now()
      const reply = await options.respond(ctx, situation, signal, now)
      const thinkingMs = performance.now() - begun
      if (!options.dryRun)
        await keepRun(ctx, situation, {
          ...{ outcome: 'answered', reason: reply.handover, reply, thinkingMs: Math.round(thinkingMs) },
        })
      follow(situation, reply, now)
      return { reply, silence: null, agent: modeOf(state), thinkingMs }
    },
    writeAsPerson(text, now) {
      recent.push(message(text, 'out', 'person', now))
    },
    async look(read, now) {
      if (!options.dryRun) return await read(ctx)
      const situation = await situationOf([], now)
      return await inTrial(ctx, situation, (inner) => read(inner))
    },
  }
}

/** Until the trial has one. */
const NO_CONTACT: Situation['contact'] = { id: '', name: null, phone: null, optedOutAt: null }

const modeOf = (state: Situation['state']) => state?.mode ?? 'on'

function message(body: string, direction: 'in' | 'out', writtenBy: 'agent' | 'person' | null, at: Date): ThreadMessage {
  return {
    ...{ id: newId(), direction, writtenBy, kind: 'text', body, data: null, replyTo: null, provider: 'twilio' },
    ...{ accountId: null, status: direction === 'in' ? 'received' : 'delivered', occurredAt: at, createdAt: at },
    ...{ deletedAt: null, answered: direction === 'out', quoted: null, files: [] },
  }
}

/** As after an answer on WhatsApp. */
function nextState(
  { conversation, business, settings, burst, state }: Situation,
  reply: Pick<AgentReply, 'handover' | 'dialogue'>,
  now: Date,
) {
  const until = new Date(now.getTime() + settings.pauseMinutes * 60_000)
  const handed = reply.handover !== null
  const asked = asksForAgent(burst)
  return {
    conversationId: conversation.id,
    businessId: business.id,
    mode: handed ? ('paused' as const) : ('on' as const),
    pausedUntil: handed ? until : null,
    pausedBecause: handed ? ('handover' as const) : null,
    resumedAt: asked && !handed ? now : (state?.resumedAt ?? null),
    contextFrom: handed ? now : (state?.contextFrom ?? null),
    dialogue: handed ? null : reply.dialogue,
    createdAt: state?.createdAt ?? now,
    updatedAt: now,
  }
}
