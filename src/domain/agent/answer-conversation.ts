import { sql } from 'drizzle-orm'
import type { DatabaseHandle, Executor } from '../../../db/client.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { isAlertReply } from '../alerts/index.ts'
import { answersReminder } from '../appointments/index.ts'
import type { BusinessContext } from '../context.ts'
import { assignConversation } from '../conversations/index.ts'
import { tryWithLock } from '../locks.ts'
import { requestMessage, type SendSettings } from '../messages/index.ts'
import { getProfile } from '../receptionist/index.ts'
import { type AgentReply, handOver, notifyPeople, type RunResult, writeRun, writeState } from './record.ts'
import type { Respond } from './respond.ts'
import { asksForAgent, decideSilence, SILENCE_FOR_PEOPLE, type SilenceReason } from './silence.ts'
import { readOwnPhones, readSituation, type Situation } from './situation.ts'
import type { TypingWatch } from './typing.ts'
import { makeVoiceAnswer, type VoiceAnswerDeps } from './voice-answer.ts'
import { settledAt } from './wake.ts'

export type AnswerDeps = {
  pool: DatabaseHandle['sql']
  messages: SendSettings
  respond: Respond
  now(): Date
  /** Whether voice notes of the business are transcribed. */
  transcribes(businessId: string): boolean
  /** Whether the person types: linked phones alone say it. */
  typing?: TypingWatch
  /** Makes voice notes; without it all is answered in writing. */
  voice?: VoiceAnswerDeps
}

export type AnswerResult =
  | { done: true; outcome: RunResult['outcome'] | 'overtaken' | 'gone' }
  | { done: false; retryInMs: number; reason: string }

/** How long an answer waits for files of the messages to come and be transcribed. */
const FILES_MS = 45_000
const FILES_PAUSE_MS = 1_000
const TYPING_PAUSE_MS = 1_000
/** How often a run looks whether its messages are still the last. */
const WATCH_MS = 400
/** Longer texts are cut: WhatsApp takes 4,096 characters, people read fewer. */
const MAX_TEXT = 1_500

/** The messages are not the last any more, a person wrote, or the agent was paused: what was begun is thrown away. */
class Overtaken extends Error {}

/**
 * Answers what a contact wrote up to `messageId`, once. The answer is written in one transaction with the messages that it answers,
 * while the conversation's row is locked and nothing has changed; killed before, nothing was written and it is done again.
 */
export async function answerConversation(
  ctx: BusinessContext,
  { conversationId, messageId }: { conversationId: string; messageId: string },
  deps: AnswerDeps,
): Promise<AnswerResult> {
  const locked = await tryWithLock(deps.pool, `agent:${conversationId}`, () =>
    answerLocked(ctx, conversationId, messageId, deps),
  )
  return locked?.value ?? { done: false, retryInMs: 500, reason: 'another run of the conversation has not ended' }
}

async function answerLocked(
  ctx: BusinessContext,
  conversationId: string,
  messageId: string,
  deps: AnswerDeps,
): Promise<AnswerResult> {
  const now = deps.now()
  const situation = await readSituation(ctx.db, ctx, conversationId, now)
  const last = situation?.burst.at(-1)
  const first = situation?.burst[0]
  if (!situation || !first || !last) return { done: true, outcome: 'gone' }
  // A newer message has a job of its own.
  if (last.id !== messageId) return { done: true, outcome: 'overtaken' }
  const typingUntil = deps.typing?.until(conversationId) ?? null
  const settled = settledAt(first.createdAt, last.createdAt, situation.settings.settleSeconds, typingUntil)
  const left = settled.getTime() - now.getTime()
  // Typing may end any time.
  if (left > 0) return wait(typingUntil ? Math.min(left, TYPING_PAUSE_MS) : left, 'more may be written')
  const silence = await silenceOf(ctx, situation, now)
  if (silence) return await beSilent(ctx, situation, silence, deps)
  if (waitsForFiles(situation, deps.transcribes(ctx.businessId), now))
    return wait(FILES_PAUSE_MS, 'files are on their way')
  return await answer(ctx, situation, deps)
}

const wait = (retryInMs: number, reason: string): AnswerResult => ({ done: false, retryInMs: retryInMs + 5, reason })

async function silenceOf(ctx: BusinessContext, situation: Situation, now: Date): Promise<SilenceReason | null> {
  const { contact, burst } = situation
  const text = burst.at(-1)?.body ?? ''
  const { settings } = await getProfile(ctx)
  return decideSilence(
    situation,
    {
      hours: settings.hours,
      ownPhones: await readOwnPhones(ctx),
      alertReply: contact.phone !== null && (await isAlertReply(ctx, { from: contact.phone, text }, now)),
      reminderReply: await answersReminder(ctx, contact.id, text, now),
    },
    now,
  )
}

/** Writes down that nothing is answered, and why; what no person would notice, members are notified of. */
async function beSilent(
  ctx: BusinessContext,
  situation: Situation,
  reason: SilenceReason,
  deps: AnswerDeps,
): Promise<AnswerResult> {
  return await ctx.db.transaction(async (tx) => {
    await lockConversation(tx, ctx, situation)
    if (!(await isSame(tx, ctx, situation, deps.now()))) return wait(0, 'something was written meanwhile')
    await writeRun(tx, ctx, situation, { outcome: 'silent', reason, reply: null })
    if (reason === 'loop') await handOver(tx, ctx, situation, { because: 'loop', reason }, deps.now())
    else if (SILENCE_FOR_PEOPLE.has(reason)) await notifyPeople(tx, ctx, situation, reason)
    return { done: true, outcome: 'silent' } as const
  })
}

function waitsForFiles({ burst }: Situation, transcribes: boolean, now: Date): boolean {
  return burst.some(
    ({ files, createdAt }) =>
      now.getTime() - createdAt.getTime() < FILES_MS &&
      files.some(
        (file) =>
          file.state === 'pending' ||
          (file.state === 'stored' && file.kind === 'voice' && transcribes && !file.processed),
      ),
  )
}

async function answer(ctx: BusinessContext, situation: Situation, deps: AnswerDeps): Promise<AnswerResult> {
  const { burst } = situation
  const begun = deps.now()
  const settledMs = Math.max(0, begun.getTime() - (burst.at(-1)?.createdAt.getTime() ?? 0))
  const watch = watchConversation(ctx, situation)
  let reply: AgentReply
  try {
    reply = await deps.respond(ctx, situation, watch.signal, begun)
  } catch (error) {
    if (watch.signal.aborted) return wait(0, 'something was written meanwhile')
    throw error
  } finally {
    await watch.stop()
  }
  const result = { reply, settledMs, thinkingMs: deps.now().getTime() - begun.getTime() }
  if (reply.handover) await assign(ctx, situation)
  try {
    return situation.settings.approveFirst
      ? await keepDraft(ctx, situation, result, deps)
      : await sendReply(ctx, situation, result, deps)
  } catch (error) {
    if (error instanceof Overtaken) return wait(0, error.message)
    // What WhatsApp or the business does not allow now is for a person.
    if (error instanceof AppError && FINAL.has(error.code))
      return await leaveToPeople(ctx, situation, { ...result, outcome: 'failed', reason: error.code }, deps)
    throw error
  }
}

const FINAL: ReadonlySet<string> = new Set([
  'account_not_linked',
  'business_blocked',
  'contact_opted_out',
  'invalid_number',
  'not_configured',
  'template_required',
])

type Made = { reply: AgentReply; settledMs: number; thinkingMs: number }

async function sendReply(
  ctx: BusinessContext,
  situation: Situation,
  made: Made,
  deps: AnswerDeps,
): Promise<AnswerResult> {
  const { pictures = [] } = made.reply
  const spoken = await makeVoiceAnswer(ctx, situation, made.reply, deps.voice)
  const media = spoken ? [spoken] : pictures.map(({ url }) => ({ url }))
  try {
    await requestReply(ctx, situation, made, media, deps)
  } catch (error) {
    // A file that is gone, too large or of another kind does not keep the words back; nothing was written.
    if (media.length === 0 || !(error instanceof AppError && isOfFile(error))) throw error
    ctx.log.warn({ code: error.code }, 'files of an answer could not be sent; its text is sent alone')
    await requestReply(ctx, situation, { ...made, reply: { ...made.reply, pictures: [] } }, [], deps)
  }
  return { done: true, outcome: 'answered' }
}

const isOfFile = ({ code }: AppError) => code.startsWith('media_') || code === 'upload_expired'

type ReplyFile = { url: string; voice?: true; transcript?: string }

async function requestReply(
  ctx: BusinessContext,
  situation: Situation,
  made: Made,
  media: readonly ReplyFile[],
  deps: AnswerDeps,
): Promise<void> {
  const { contact, burst } = situation
  const last = burst.at(-1)
  const text = made.reply.text.slice(0, MAX_TEXT)
  // Asked again after an answer that failed it is another message; the same run made twice is the same.
  const failed = last
    ? situation.recent.filter((each) => each.direction === 'out' && each.status === 'failed' && each.id > last.id)
    : []
  // A voice note has no caption: its text is kept as the transcript.
  const isSpoken = media.some(({ voice }) => voice)
  await requestMessage(
    ctx,
    {
      to: contact.phone ?? '',
      ...(isSpoken ? {} : { text }),
      ...(last ? { provider: last.provider } : {}),
      ...(media.length > 0 ? { media: [...media] } : {}),
      idempotencyKey: ['agent', last?.id, ...(failed.length > 0 ? [failed.length] : [])].join('-'),
    },
    deps.messages,
    null,
    async (tx, written) => {
      if (written.conversationId !== situation.conversation.id) throw new Overtaken('the contact was merged')
      await lockConversation(tx, ctx, situation)
      await requireSame(tx, ctx, situation, deps.now())
      await writeRun(tx, ctx, situation, {
        ...made,
        outcome: 'answered',
        reason: made.reply.handover,
        sentMessageId: written.messageId,
      })
      await writeNextState(tx, ctx, situation, made.reply, deps.now())
    },
    // From the number that was written to.
    last ? { provider: last.provider, accountId: last.accountId } : null,
  )
}

async function keepDraft(
  ctx: BusinessContext,
  situation: Situation,
  made: Made,
  deps: AnswerDeps,
): Promise<AnswerResult> {
  return await ctx.db.transaction(async (tx) => {
    await lockConversation(tx, ctx, situation)
    await requireSame(tx, ctx, situation, deps.now())
    await writeRun(tx, ctx, situation, { ...made, outcome: 'draft', reason: made.reply.handover })
    await writeNextState(tx, ctx, situation, made.reply, deps.now())
    return { done: true, outcome: 'draft' } as const
  })
}

/** Where nothing can be answered: a person does, and is notified. */
async function leaveToPeople(
  ctx: BusinessContext,
  situation: Situation,
  result: RunResult,
  deps: AnswerDeps,
): Promise<AnswerResult> {
  return await ctx.db.transaction(async (tx) => {
    await lockConversation(tx, ctx, situation)
    if (!(await isSame(tx, ctx, situation, deps.now()))) return wait(0, 'something was written meanwhile')
    await writeRun(tx, ctx, situation, result)
    await notifyPeople(tx, ctx, situation, result.reason ?? 'failed')
    return { done: true, outcome: result.outcome } as const
  })
}

/** Ends a conversation's work that failed for good: members are notified, so that it is never left without an answer. */
export async function giveUpAnswer(
  ctx: BusinessContext,
  { conversationId, messageId }: { conversationId: string; messageId: string },
  error: unknown,
  now: Date,
): Promise<void> {
  ctx.log.error({ conversationId, error: errorMessage(error) }, 'the agent could not answer; members are notified')
  const situation = await readSituation(ctx.db, ctx, conversationId, now)
  if (situation?.burst.at(-1)?.id !== messageId) return
  await ctx.db.transaction(async (tx) => {
    await lockConversation(tx, ctx, situation)
    if (!(await isSame(tx, ctx, situation, now))) return
    await writeRun(tx, ctx, situation, { outcome: 'failed', reason: 'error', reply: null })
    await notifyPeople(tx, ctx, situation, 'failed')
  })
}

async function writeNextState(tx: Executor, ctx: BusinessContext, situation: Situation, reply: AgentReply, now: Date) {
  if (reply.handover) {
    await handOver(tx, ctx, situation, { because: 'handover', reason: reply.handover }, now)
    return
  }
  if (reply.notify) await notifyPeople(tx, ctx, situation, reply.notify)
  await writeState(tx, ctx, situation.conversation.id, {
    dialogue: reply.dialogue,
    ...(asksForAgent(situation.burst)
      ? { mode: 'on', pausedUntil: null, pausedBecause: null, resumedAt: now }
      : situation.state?.mode === 'paused'
        ? { mode: 'on', pausedUntil: null, pausedBecause: null }
        : {}),
  })
}

async function assign(ctx: BusinessContext, { conversation, settings }: Situation): Promise<void> {
  if (!settings.assigneeId || conversation.assigneeId) return
  try {
    await assignConversation(ctx, conversation.id, settings.assigneeId)
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'not_a_member')) throw error
    ctx.log.warn({ conversationId: conversation.id }, 'the member for handovers has left; no one is assigned')
  }
}

/** Whoever writes to a conversation holds its row: nothing comes between the look and the answer. */
async function lockConversation(tx: Executor, ctx: BusinessContext, { conversation }: Situation): Promise<void> {
  await tx.execute(
    sql`select from conversations where id = ${conversation.id} and business_id = ${ctx.businessId} for update`,
  )
}

async function requireSame(tx: Executor, ctx: BusinessContext, situation: Situation, now: Date): Promise<void> {
  if (!(await isSame(tx, ctx, situation, now))) throw new Overtaken('something was written meanwhile')
}

/** Whether the conversation still stands as it did: the same messages wait, no one wrote, and the state is the same. */
async function isSame(tx: Executor, ctx: BusinessContext, before: Situation, now: Date): Promise<boolean> {
  const after = await readSituation(tx, ctx, before.conversation.id, now)
  return after !== null && fingerprintOf(after) === fingerprintOf(before)
}

function fingerprintOf({ burst, recent, state, settings, contact, business }: Situation): string {
  const written = recent.findLast(({ direction, writtenBy }) => direction === 'out' && writtenBy === 'person')
  return JSON.stringify([
    burst.map(({ id, body, deletedAt }) => [id, body, deletedAt]),
    written?.id ?? null,
    state?.updatedAt ?? null,
    [settings.enabledAt, settings.approveFirst],
    [contact.id, contact.phone, contact.optedOutAt],
    business.blockedAt,
  ])
}

/** Aborts when what the run answers is not the last any more. */
function watchConversation(ctx: BusinessContext, before: Situation): { signal: AbortSignal; stop(): Promise<void> } {
  const aborting = new AbortController()
  const stopped = Promise.withResolvers<void>()
  const watching = (async () => {
    while (true) {
      const ended = await Promise.race([stopped.promise.then(() => true), Bun.sleep(WATCH_MS).then(() => false)])
      if (ended) return
      try {
        if (!(await isSame(ctx.db, ctx, before, new Date()))) {
          aborting.abort(new Overtaken('something was written meanwhile'))
          return
        }
      } catch (error) {
        // The transaction of the answer looks again.
        ctx.log.debug({ error: errorMessage(error) }, 'a conversation could not be watched')
      }
    }
  })()
  return {
    signal: aborting.signal,
    async stop() {
      stopped.resolve()
      await watching
    },
  }
}
