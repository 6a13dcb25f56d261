import { isSamePhone } from '../../lib/phone.ts'
import type { BusinessHours } from '../appointments/index.ts'
import { readConsentWord } from '../contacts/index.ts'
import { isOpen } from './open-now.ts'
import type { Situation, ThreadMessage } from './situation.ts'

/** Why the agent does not answer. */
export type SilenceReason =
  | 'off'
  | 'off_here'
  | 'business_blocked'
  | 'group'
  | 'no_number'
  | 'own_number'
  | 'opted_out'
  | 'consent_word'
  | 'history'
  | 'nothing_to_answer'
  | 'paused'
  | 'person_wrote'
  | 'too_old'
  | 'outside_hours'
  | 'alert_reply'
  | 'reminder_reply'
  | 'loop'

/** What only a person hears of, when the agent is silent for it. */
export const SILENCE_FOR_PEOPLE: ReadonlySet<SilenceReason> = new Set(['too_old', 'loop'])

const MINUTE = 60_000
/** After an outage, what waited longer is left to a person. */
const TOO_OLD_MS = 30 * MINUTE
const LOOP_WINDOW_MS = 10 * MINUTE
const MOST_REPLIES = 8
/** No person answers a text within this time, again and again. */
const MACHINE_MS = 2_000
const MACHINE_ANSWERS = 3
/** A person repeats a short text sooner than a long one. */
const LONG_TEXT = 20
/** Kinds of messages that ask for nothing. */
const WITHOUT_ANSWER: ReadonlySet<string> = new Set(['reaction', 'poll_vote', 'edit', 'deletion'])
const CALLS_AGENT =
  /^\s*(bot|assistant|agent|the (bot|assistant)|back to the (bot|assistant)|בוט|הבוט|העוזר|העוזרת|עוזר|מענה אוטומטי|המענה האוטומטי)[\s.!]*$/iu

type Facts = { ownPhones: readonly string[]; alertReply: boolean; reminderReply: boolean; hours: BusinessHours }

/** Whether the person asks for the agent, after a person or a handover. */
export function asksForAgent(burst: readonly ThreadMessage[]): boolean {
  return CALLS_AGENT.test(burst.at(-1)?.body ?? '')
}

/** Why the agent must not answer now; null when it answers. The order is of what counts most. */
export function decideSilence(situation: Situation, facts: Facts, now: Date): SilenceReason | null {
  const { settings, state, business, contact, conversation, burst } = situation
  if (!settings.enabledAt) return 'off'
  if (business.blockedAt) return 'business_blocked'
  if (burst.some(({ data }) => data?.author !== undefined || data?.broadcastList !== undefined)) return 'group'
  if (!contact.phone) return 'no_number'
  const { phone } = contact
  if (facts.ownPhones.some((own) => isSamePhone(own, phone))) return 'own_number'
  if (burst.some(({ body, kind }) => kind === 'text' && readConsentWord(body) !== null)) return 'consent_word'
  if (contact.optedOutAt) return 'opted_out'
  // Only what is received live moves this time on.
  const fresh = burst.filter(({ occurredAt }) => occurredAt <= (conversation.lastInboundAt ?? new Date(0)))
  if (fresh.length === 0) return 'history'
  if (fresh.every(({ kind, deletedAt }) => WITHOUT_ANSWER.has(kind) || deletedAt)) return 'nothing_to_answer'
  if (facts.alertReply) return 'alert_reply'
  if (facts.reminderReply) return 'reminder_reply'
  if (state?.mode === 'off') return 'off_here'
  if (!asksForAgent(burst)) {
    if (isPaused(situation, now)) return 'paused'
    if (personWroteUntil(situation, now)) return 'person_wrote'
  }
  // A member who gives a conversation back has seen what was written.
  const isAsked = state?.resumedAt ? fresh.every(({ createdAt }) => createdAt < (state.resumedAt ?? now)) : false
  if (!isAsked && fresh.every(({ occurredAt }) => now.getTime() - occurredAt.getTime() > TOO_OLD_MS)) return 'too_old'
  if (!isAsked && settings.answers !== 'always') {
    const open = isOpen(facts.hours, now, business.timezone)
    if (open !== (settings.answers === 'open')) return 'outside_hours'
  }
  return isLoop(situation, now) ? 'loop' : null
}

export function isPaused({ state }: Situation, now: Date): boolean {
  return state?.mode === 'paused' && (state.pausedUntil === null || state.pausedUntil > now)
}

/** Until when the agent is silent because a person of the business wrote; null when it is not. */
export function personWroteUntil({ recent, settings, state }: Situation, now: Date): Date | null {
  const last = recent.findLast(
    ({ direction, writtenBy, kind }) => direction === 'out' && writtenBy === 'person' && !WITHOUT_ANSWER.has(kind),
  )
  if (!last || (state?.resumedAt && last.occurredAt <= state.resumedAt)) return null
  const until = new Date(last.occurredAt.getTime() + settings.pauseMinutes * MINUTE)
  return until > now ? until : null
}

/** Two automatic parties never write to each other for ever. */
function isLoop({ recent, burst, state }: Situation, now: Date): boolean {
  const since = Math.max(now.getTime() - LOOP_WINDOW_MS, state?.resumedAt?.getTime() ?? 0)
  const lately = recent.filter(({ createdAt }) => createdAt.getTime() > since)
  const ours = lately.filter(({ direction, writtenBy }) => direction === 'out' && writtenBy === 'agent')
  if (ours.length >= MOST_REPLIES) return true
  const quick = ours.filter((answer) =>
    lately.some(
      ({ direction, createdAt, id }) =>
        direction === 'in' && id > answer.id && createdAt.getTime() - answer.createdAt.getTime() < MACHINE_MS,
    ),
  )
  if (quick.length >= MACHINE_ANSWERS) return true
  const text = textOf(burst.at(-1))
  const same = lately.filter((each) => each.direction === 'in' && each.answered && textOf(each) === text)
  return text !== '' && ours.length > 0 && same.length >= (text.length > LONG_TEXT ? 1 : 2)
}

const textOf = (message: ThreadMessage | undefined) =>
  (message?.body ?? '')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .toLowerCase()
