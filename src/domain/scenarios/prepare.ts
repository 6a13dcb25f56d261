import { AppError } from '../../lib/errors.ts'
import { instantOf } from '../../lib/local-time.ts'
import { saveAgentSettings } from '../agent/index.ts'
import { createAppointment, listServices, saveService } from '../appointments/index.ts'
import { createBusiness, getBusiness, updateBusiness } from '../businesses/index.ts'
import { addNote, createContact } from '../contacts/index.ts'
import { type BusinessContext, type DomainContext, within } from '../context.ts'
import { createLead } from '../leads/index.ts'
import { getProfile, listBusinessTexts, saveBusinessText } from '../receptionist/index.ts'
import { dateOf } from './dates.ts'
import { PRESET_BUSINESSES } from './presets.ts'
import type { Scenario } from './schema.ts'

/** A business of its own for one play of a scenario, with all that is given. */
export type Prepared = {
  ctx: BusinessContext
  timezone: string
  /** The customer's number. */
  phone: string
  /** When the play begins. */
  now: Date
  /** What is known of the business: what an answer may say. */
  known: string[]
}

/** Writes what a scenario gives. @param phone the customer's number where the scenario names none */
export async function prepareScenario(ctx: DomainContext, scenario: Scenario, phone: string): Promise<Prepared> {
  const { business, contact, knowledge, clock } = scenario.given
  if (!business)
    throw new AppError('invalid', 'invalid_scenario', `${scenario.name}: given.business: name a preset to play it in.`)
  const preset = PRESET_BUSINESSES[business.preset]
  const name = business.name ?? preset.name[business.language]
  const bound = within(ctx, await createBusiness(ctx, { name, language: business.language }))
  await updateBusiness(bound, { hours: business.hours ?? preset.hours })
  const texts = [...preset.knowledge[business.language], ...knowledge]
  for (const { title, text } of texts) await saveBusinessText(bound, { title, body: text })
  for (const service of preset.services) await saveService(bound, service)
  await saveAgentSettings(bound, {
    enabled: true,
    settleSeconds: 1,
    handoverTopics: business.handoverTopics ?? preset.handoverTopics,
    ...(business.approveFirst === undefined ? {} : { approveFirst: business.approveFirst }),
  })
  const { timezone } = await getBusiness(bound)
  const now = clock ? new Date(clock) : new Date()
  const prepared = { ctx: bound, timezone, phone: contact.phone ?? phone, now }
  await prepareContact(prepared, contact)
  return { ...prepared, known: await knownOf(bound, name) }
}

/**
 * What an answer may say: the texts of a business, its services and hours.
 * @param given texts in place of its own
 */
export async function knownOf(
  ctx: BusinessContext,
  name: string,
  given?: readonly { title: string; body: string }[],
): Promise<string[]> {
  const texts = given ?? (await listBusinessTexts(ctx))
  const { hours } = (await getProfile(ctx)).settings
  const spans = Object.values(hours.week).flatMap((day) => (day ?? []).flatMap(({ from, to }) => [from, to]))
  const services = (await listServices(ctx)).map(
    ({ nameHe, nameEn, price }) => `${nameHe} ${nameEn}${price === null ? '' : ` ${price / 100} ₪`}`,
  )
  return [name, ...texts.map(({ title, body }) => `${title}: ${body}`), ...services, ...spans]
}

/** Writes what is given of the customer. */
export async function prepareContact(
  { ctx, phone, timezone, now }: Omit<Prepared, 'known'>,
  { name, inquiry, notes, appointments }: Scenario['given']['contact'],
): Promise<void> {
  if (!name && !inquiry && notes.length === 0 && appointments.length === 0) return
  const { id: contactId } = await createContact(ctx, { phone, ...(name ? { name } : {}) })
  for (const body of notes) await addNote(ctx, { contactId, body })
  if (inquiry) await createLead(ctx, { contactId, inquiry, ...(name ? { name } : {}) })
  for (const { date, time, note } of appointments)
    await createAppointment(ctx, {
      startsAt: instantOf(dateOf(date, now, timezone), time, timezone).toISOString(),
      minutes: 30,
      contactId,
      ...(name ? { name } : {}),
      ...(note ? { note } : {}),
    })
}
