import { CHANNEL_WAYS, MEMBER_WAYS, type memberships } from '../../../db/schema/index.ts'

export { CHANNEL_WAYS, MEMBER_WAYS }
export type MemberWay = (typeof MEMBER_WAYS)[number]
export type ChannelWay = (typeof CHANNEL_WAYS)[number]
export type AlertWay = MemberWay | ChannelWay
type Role = (typeof memberships.$inferSelect)['role']

/** `critical` comes at night too, and is escalated where the business says nothing else. */
export type AlertLevel = 'normal' | 'important' | 'critical'
export const ALERT_GROUPS = ['people', 'appointments', 'payments', 'system'] as const

type AlertKindEntry = {
  group: (typeof ALERT_GROUPS)[number]
  level: AlertLevel
  /** Types of events that may be one; a condition that is watched has none. */
  events: readonly string[]
  /** How long to wait: what comes until then may change the answer. */
  delayMs?: number
  /** The same row has it more than once, and each time is sent: its subject is `row#event`. */
  repeats?: true
  /** Of the installation: notified in its first business, whose owners operate it. */
  installation?: true
  /** Where it leads to in the console. */
  url: string
}

/** A caller who is sent to voicemail has begun to record, or has not. */
const MISSED_AFTER_MS = 45_000
/** The answers of a call come one by one. */
const LEAD_AFTER_MS = 5_000

/** Everything worth telling. A new kind is one entry here and its words in `texts.ts`. */
export const KINDS = {
  missed_call: { group: 'people', level: 'important', events: ['call.end'], delayMs: MISSED_AFTER_MS, url: 'calls' },
  voicemail: { group: 'people', level: 'important', events: ['recording.store'], url: 'calls' },
  lead: {
    group: 'people',
    level: 'important',
    events: ['lead.save', 'lead.create'],
    delayMs: LEAD_AFTER_MS,
    url: 'leads',
  },
  urgent_message: { group: 'people', level: 'critical', events: ['message.receive'], url: 'inbox' },
  message: { group: 'people', level: 'important', events: ['message.receive'], url: 'inbox' },
  handover: {
    group: 'people',
    level: 'important',
    events: ['message.receive', 'call.end', 'agent.handover'],
    url: 'inbox',
  },
  appointment_made: {
    group: 'appointments',
    level: 'normal',
    repeats: true,
    events: ['appointment.book', 'appointment.restore'],
    url: 'calendar',
  },
  appointment_moved: {
    group: 'appointments',
    level: 'normal',
    repeats: true,
    events: ['appointment.move', 'appointment.reschedule'],
    url: 'calendar',
  },
  appointment_cancelled: {
    group: 'appointments',
    level: 'important',
    repeats: true,
    events: ['appointment.cancel'],
    url: 'calendar',
  },
  calendar_conflict: {
    group: 'appointments',
    level: 'important',
    repeats: true,
    events: ['calendar.conflict'],
    url: 'calendar',
  },
  calendar_reconnect: {
    group: 'appointments',
    level: 'important',
    repeats: true,
    events: ['calendar.needs_reconnect'],
    url: 'settings',
  },
  calendar_failing: { group: 'appointments', level: 'important', events: [], url: 'settings?part=calendars' },
  payment_made: { group: 'payments', level: 'normal', events: ['payment.paid'], url: 'payments' },
  payment_failed: {
    group: 'payments',
    level: 'important',
    repeats: true,
    events: ['payment.failed', 'payment.mismatch', 'payment.duplicate'],
    url: 'payments',
  },
  deposit_late: { group: 'payments', level: 'important', events: ['appointment.deposit_late'], url: 'payments' },
  deposit_unavailable: {
    group: 'payments',
    level: 'important',
    events: ['appointment.deposit_unavailable'],
    url: 'settings?part=providers',
  },
  whatsapp_down: { group: 'system', level: 'critical', events: [], url: 'settings?part=whatsapp' },
  engine_failing: { group: 'system', level: 'critical', events: [], url: 'calls' },
  engine_credit: { group: 'system', level: 'critical', events: [], url: 'settings?part=providers' },
  model_failing: { group: 'system', level: 'important', events: [], url: 'settings?part=models' },
  model_budget: { group: 'system', level: 'important', events: [], url: 'settings?part=models' },
  silence: { group: 'system', level: 'critical', events: [], url: 'today' },
  way_failing: { group: 'system', level: 'important', events: [], url: 'settings?part=notifications' },
  queue_stuck: { group: 'system', level: 'critical', events: [], installation: true, url: 'health' },
  disk_filling: { group: 'system', level: 'critical', events: [], installation: true, url: 'health' },
  backup_missing: { group: 'system', level: 'important', events: [], installation: true, url: 'health' },
  misconfigured: { group: 'system', level: 'important', events: [], installation: true, url: 'health' },
} as const satisfies Record<string, AlertKindEntry>

export type AlertKind = keyof typeof KINDS
export const ALERT_KINDS = Object.keys(KINDS).filter((name): name is AlertKind => Object.hasOwn(KINDS, name))

/** What is read of a kind, with the fields that only some entries have. */
export function kindOf(kind: AlertKind): AlertKindEntry {
  return KINDS[kind]
}

export function isAlertKind(name: string): name is AlertKind {
  return Object.hasOwn(KINDS, name)
}

/** Types of events that may have to be notified, for the statement that writes events. */
export const NOTICED_EVENTS: readonly string[] = [...new Set(ALERT_KINDS.flatMap((kind) => KINDS[kind].events))]

/**
 * The ways of a member who has chosen none for a kind: what matters goes to the owners by web push and mail. Who has notified a
 * device gets what concerns people there, whatever the role.
 */
export function defaultWays(kind: AlertKind, role: Role): MemberWay[] {
  const { group, level } = KINDS[kind]
  if (role === 'owner') return level === 'normal' ? ['push'] : ['push', 'email']
  if (group === 'people') return ['push']
  return role === 'manager' ? ['push'] : []
}

/** The ways that what is wrong may have broken: it is never notified by these alone. */
export function brokenWays(kind: AlertKind, subject: string): MemberWay[] {
  if (kind === 'whatsapp_down') return ['whatsapp']
  if (kind === 'way_failing') return MEMBER_WAYS.filter((way) => way === subject)
  if (kind === 'misconfigured' && subject === 'mail') return ['email']
  if (kind === 'misconfigured' && subject.startsWith('twilio')) return ['sms', 'call', 'whatsapp']
  return []
}
