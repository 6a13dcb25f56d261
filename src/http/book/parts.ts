import type { Context } from 'hono'
import { z } from 'zod'
import type { BookingLinks, listServices } from '../../domain/appointments/index.ts'
import type { BusinessContext, DomainContext } from '../../domain/context.ts'
import type { PaymentDeps } from '../../domain/payments/index.ts'
import { instantOf } from '../../lib/local-time.ts'
import { parsePhone } from '../../lib/phone.ts'
import { nameText } from '../../lib/text.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import type { BookLanguage } from './texts.ts'
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
  slot: z.string().min(1).max(40),
  key: z.uuid(),
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
export const MAX_FORM_BYTES = 8 * 1024

export type Offered = Awaited<ReturnType<typeof listServices>>[number]
export type Open = {
  business: BusinessContext
  name: string
  timeZone: string
  language: BookLanguage
  services: Offered[]
  note: 'off' | 'optional' | 'required'
  /** Whether the reader may choose. */
  oneLanguage: boolean
  here: string
}

export function heading(
  { language, name, oneLanguage = false }: { language: BookLanguage; name: string; oneLanguage?: boolean },
  here: string,
) {
  const other = language === 'he' ? 'en' : 'he'
  return {
    language,
    business: name,
    switchTo: oneLanguage ? null : `${here}${here.includes('?') ? '&' : '?'}lang=${other}`,
  }
}

export const nameOf = (language: BookLanguage, service: { nameHe: string; nameEn: string }) =>
  language === 'he' ? service.nameHe : service.nameEn

export function dateText(language: BookLanguage, date: string): string {
  const locale = language === 'he' ? 'he-IL' : 'en-GB'
  return new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' }).format(
    new Date(`${date}T12:00:00Z`),
  )
}

export function missing(c: Context) {
  return sendPage(c, missingPage(languageOf(c)), { status: 404 })
}
