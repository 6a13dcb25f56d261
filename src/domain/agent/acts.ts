import { and, desc, eq, gt } from 'drizzle-orm'
import { leads } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import {
  type AppointmentToolName,
  appointmentTools,
  bookSlot,
  offerSlots,
  refuseTime,
  type SlotRequest,
} from '../appointments/index.ts'
import { updateContact } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { createLead, updateLead } from '../leads/index.ts'
import {
  type AppointmentCustomer,
  isAt,
  ownAppointments as ownAppointmentsOf,
  runAppointmentTool,
  type Wanted,
} from './appointment-acts.ts'
import { languageOf } from './language.ts'
import type { Situation, ThreadMessage } from './situation.ts'

/** A new inquiry of the same person after this is a lead of its own. */
const SAME_LEAD_MS = 14 * 86_400_000
const MAX_INQUIRY = 2_000

export type LeadAnswers = {
  name?: string | undefined
  inquiry?: string | undefined
  callback_time?: string | undefined
  area?: string | undefined
  budget?: string | undefined
}

/** The one open lead of the contact: made, or filled with what was learnt. */
export async function saveContactLead(ctx: BusinessContext, situation: Situation, answers: LeadAnswers) {
  const { contact } = situation
  const more = [
    answers.area ? `Area: ${answers.area}` : null,
    answers.budget ? `Budget: ${answers.budget}` : null,
  ].filter((line) => line !== null)
  const [open] = await ctx.db
    .select({ id: leads.id, inquiry: leads.inquiry })
    .from(leads)
    .where(
      and(
        eq(leads.businessId, ctx.businessId),
        eq(leads.contactId, contact.id),
        eq(leads.source, 'whatsapp'),
        eq(leads.stage, 'new'),
        gt(leads.createdAt, new Date(Date.now() - SAME_LEAD_MS)),
      ),
    )
    .orderBy(desc(leads.createdAt))
    .limit(1)
  const inquiry = addTo(open?.inquiry ?? null, [answers.inquiry ?? null, ...more])
  const fields = {
    ...(answers.name ? { name: answers.name } : {}),
    ...(inquiry ? { inquiry } : {}),
    ...(answers.callback_time ? { callbackTime: answers.callback_time } : {}),
  }
  if (open) await updateLead(ctx, open.id, fields)
  else
    await createLead(ctx, {
      ...fields,
      name: answers.name ?? contact.name,
      contactId: contact.id,
      source: 'whatsapp',
    })
  if (answers.name && !contact.name) await updateContact(ctx, contact.id, { name: answers.name.slice(0, 120) })
  return { ok: true, saved: Object.keys(fields) }
}

/** What is new is put below what is kept; what is kept already is not repeated. */
function addTo(kept: string | null, parts: (string | null)[]): string | null {
  const fresh = parts.filter((part) => part !== null && part !== '' && !kept?.includes(part))
  if (fresh.length === 0) return null
  return [kept, ...fresh]
    .filter((part) => part !== null)
    .join('\n')
    .slice(0, MAX_INQUIRY)
}

export async function renameContact(ctx: BusinessContext, { contact }: Situation, name: string) {
  await updateContact(ctx, contact.id, { name })
  return { ok: true, name }
}

/** The contact of the conversation, and how appointments are booked for them in writing. */
function customerOf(ctx: BusinessContext, situation: Situation, now: Date): AppointmentCustomer {
  const { contact, burst, business } = situation
  const language = languageOf(burst.map(textOf), situation)
  return {
    timeZone: business.timezone,
    language,
    contactId: contact.id,
    callId: null,
    unknownBecause: () => new AppError('not_found', 'no_appointment', 'The customer is not known.'),
    namesService: true,
    async book(wanted) {
      const visit = { serviceId: wanted.service?.id ?? null, ...(wanted.minutes ? { minutes: wanted.minutes } : {}) }
      const slots = await offerSlots(ctx, visit, { from: wanted.date, days: 1 }, now)
      const slot = slots.find((each) => isAt(each, wanted))
      if (!slot) throw await refuseTime(ctx, visit, wanted, now)
      const request: SlotRequest = {
        ...{ slot: slot.slot, source: 'whatsapp', phone: contact.phone ?? '' },
        // Tried again for the same messages, it is the same appointment.
        requestKey: `whatsapp:${burst.at(-1)?.id}:${slot.startsAt.toISOString()}`,
        name: wanted.name ?? contact.name,
        note: wanted.note ?? null,
        language,
        ...(wanted.minutes ? { minutes: wanted.minutes } : {}),
        ...(wanted.hold ? { hold: true } : {}),
      }
      return await bookSlot(ctx, request, now)
    },
  }
}

/** Runs an appointment tool in writing: what changes the calendar has to be what the customer asked for. */
export async function runForContact(
  ctx: BusinessContext,
  situation: Situation,
  name: AppointmentToolName,
  args: unknown,
  now: Date,
): Promise<unknown> {
  if (name === 'book_appointment' || name === 'reschedule_appointment')
    requireAgreed(situation, appointmentTools[name].args.parse(args))
  if (name === 'cancel_appointment' && !saidIn(situation, CANCELS) && !saysYes(situation))
    throw new AppError('invalid', 'not_asked', 'The customer has not asked to cancel. Ask whether they want to.')
  return await runAppointmentTool(ctx, customerOf(ctx, situation, now), name, args, now)
}

export const ownAppointments = (ctx: BusinessContext, situation: Situation, now: Date) =>
  ownAppointmentsOf(ctx, customerOf(ctx, situation, now), now)

const CANCELS = /(?<!\p{L})(cancel\w*|call it off|בטל\p{L}*|לבטל|תבטל\p{L}*|ביטול|מבטל\p{L}*)/iu
const YES =
  /^\s*(yes|yep|yeah|ok|okay|sure|please|correct|right|great|perfect|fine|go ahead|book it|confirm\w*|the (first|second|third)( one)?|כן|אוקיי?|בטח|מאשר\p{L}*|נכון|מצוין|מעולה|סבבה|יאללה|בסדר|אפשר|מתאים\p{L}*|הראשון|הראשונה|השני|השנייה|השלישי\p{L}*|\d)(?!\p{L})/iu
/** A text that names a time by a word: nine, בתשע. */
const SPOKEN_HOURS =
  /(?<!\p{L})(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|[בל]?(אחת|שתיים|שלוש|ארבע|חמש|שש|שבע|שמונה|תשע|עשר|צהריים))(?!\p{L})/iu

/** What the customer wrote of late, newest last. */
function written({ recent }: Situation): ThreadMessage[] {
  return recent.filter(({ direction }) => direction === 'in').slice(-8)
}

const textOf = ({ body, files }: ThreadMessage) =>
  [body, ...files.flatMap(({ transcript }) => transcript ?? [])].join(' ')

const saidIn = (situation: Situation, pattern: RegExp) => written(situation).some((each) => pattern.test(textOf(each)))

function saysYes({ burst }: Situation): boolean {
  return burst.some((each) => YES.test(textOf(each)))
}

/**
 * A time is written to the calendar when the customer named it, or agreed to one that was offered: what a text, a page or a file
 * says books nothing.
 */
function requireAgreed(situation: Situation, { time }: Wanted): void {
  const [hour = '', minute = ''] = time.split(':')
  const forms = new RegExp(`(?<!\\d)(0?${Number(hour)}|${Number(hour) % 12 || 12})(:${minute})?(?!\\d)`)
  if (saidIn(situation, forms) || saidIn(situation, SPOKEN_HOURS)) return
  const shown = new RegExp(`(?<!\\d)0?${Number(hour)}:${minute}(?!\\d)`)
  const offered = situation.recent.some((each) => each.direction === 'out' && shown.test(textOf(each)))
  if (offered && saysYes(situation)) return
  throw new AppError(
    'invalid',
    'not_agreed',
    'The customer has not named this time. Offer it, and book it when they agree.',
  )
}
