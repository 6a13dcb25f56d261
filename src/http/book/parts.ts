import type { Context } from 'hono'
import { z } from 'zod'
import type { BookingLinks, listServices } from '../../domain/appointments/index.ts'
import { listPhoneNumbers } from '../../domain/businesses/index.ts'
import type { BusinessContext, DomainContext } from '../../domain/context.ts'
import { formatMoney, type PaymentDeps } from '../../domain/payments/index.ts'
import { addDates, instantOf } from '../../lib/local-time.ts'
import { parsePhone } from '../../lib/phone.ts'
import { nameText } from '../../lib/text.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import type { BookError, BookLanguage } from './texts.ts'
import { missingPage } from './view.tsx'

export type BookDeps = {
  ctx: DomainContext
  payments: PaymentDeps
  links: BookingLinks
  addressOf(request: Request): string
  now?: () => Date
}

/** So many are on a page. */
export const DAYS = 7
export const bookDate = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/)
  .refine((text) => !Number.isNaN(instantOf(text, '12:00', 'UTC').getTime()))
export const query = z.object({
  service: z.uuid().optional().catch(undefined),
  slot: z.string().max(40).optional().catch(undefined),
  from: bookDate.optional().catch(undefined),
})
export const form = z.object({
  name: nameText(120),
  phone: z
    .string()
    .trim()
    .max(32)
    .transform((text, issue) => {
      const phone = parsePhone(text)
      if (!phone) issue.addIssue({ code: 'custom', message: 'This is no phone number.' })
      return phone ?? ''
    }),
  note: z.string().trim().max(500).default(''),
})
export type Who = { name: string; phone: string; note: string }

/** What is wrong with a form. */
export function formError({ issues }: z.ZodError): BookError {
  const [field] = issues[0]?.path ?? []
  return field === 'name' || field === 'phone' || field === 'note' ? `invalid_${field}` : 'other'
}

export function whoOf({ name = '', phone = '', note = '' }: Record<string, string | undefined>): Who {
  return { name, phone, note }
}

export const MAX_FORM_BYTES = 8 * 1024

export type Offered = Awaited<ReturnType<typeof listServices>>[number]
export type Open = {
  business: BusinessContext
  name: string
  /** Where a person is reached; null where the business has no number. */
  phone: string | null
  timeZone: string
  language: BookLanguage
  services: Offered[]
  note: 'off' | 'optional' | 'required'
  /** Whether the reader may choose. */
  oneLanguage: boolean
  here: string
  /** The dates that can be booked. */
  today: string
  last: string
}

/** The date asked for, within those that can be booked. */
export function reachable(asked: string | undefined, { today, last }: { today: string; last: string }): string {
  if (!asked || asked < today) return today
  return asked > last ? last : asked
}

/** Where the dates before and after those of a page are shown. */
export function neighbours(base: string, from: string, { today, last }: { today: string; last: string }) {
  const [before, after] = [addDates(from, -DAYS), addDates(from, DAYS)]
  return {
    earlier: from > today ? `${base}&from=${before < today ? today : before}` : null,
    later: after <= last ? `${base}&from=${after}` : null,
  }
}

export function heading(
  {
    language,
    name,
    phone,
    oneLanguage = false,
  }: { language: BookLanguage; name: string; phone: string | null; oneLanguage?: boolean },
  here: string,
) {
  const other = language === 'he' ? 'en' : 'he'
  return {
    ...{ language, phone },
    business: name,
    switchTo: oneLanguage ? null : `${here}${here.includes('?') ? '&' : '?'}lang=${other}`,
  }
}

export const nameOf = (language: BookLanguage, service: { nameHe: string; nameEn: string }) =>
  language === 'he' ? service.nameHe : service.nameEn

/** A date as it is read; with its year where that is not the one of `today`. */
export function dateText(language: BookLanguage, date: string, today: string): string {
  return new Intl.DateTimeFormat(language === 'he' ? 'he-IL' : 'en-GB', {
    ...{ weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' },
    ...(date.slice(0, 4) === today.slice(0, 4) ? {} : { year: 'numeric' }),
  }).format(new Date(`${date}T12:00:00Z`))
}

/** Where another one is booked; null where the page is closed. */
export function againOf(
  { pageEnabled, slug }: { pageEnabled: boolean; slug: string | null },
  language: BookLanguage,
): string | null {
  return pageEnabled && slug ? `/book/${slug}?lang=${language}` : null
}

/** What a service takes and costs. */
export function choiceOf(language: BookLanguage, service: Offered) {
  const money = (amount: number | null) => (amount === null ? null : formatMoney(language, amount, 'ILS'))
  return {
    ...{ id: service.id, name: nameOf(language, service), minutes: service.minutes },
    ...{ price: money(service.price), deposit: money(service.deposit) },
  }
}

/** The number under which the business is called. */
export async function phoneOf(business: BusinessContext): Promise<string | null> {
  const [first] = await listPhoneNumbers(business)
  return first?.e164 ?? null
}

export function missing(c: Context) {
  return sendPage(c, missingPage(languageOf(c)), { status: 404 })
}
