import { and, eq } from 'drizzle-orm'
import { alertDeliveries, alertIncidents } from '../../../db/schema/index.ts'
import { getBusiness } from '../businesses/index.ts'
import { type BusinessContext, within } from '../context.ts'
import { compose } from './compose.ts'
import { isSettled, takeIncident } from './incidents.ts'
import { toSpeech } from './layout.ts'
import { alertMembersOf } from './plan.ts'
import { type Language, WORDS } from './texts.ts'

/** What is said to a member who is rung up. Without `ask` there is nothing to press a key for. */
export type Spoken = { language: Language; text: string; ask: string | null }

/** The words for a member who answers an alert's call. */
export async function speakAlert(ctx: BusinessContext, deliveryId: string, now: Date): Promise<Spoken> {
  const { language, timezone } = await getBusiness(ctx)
  const found = await findCall(ctx, deliveryId)
  if (!found) return { language, text: WORDS[language].notThere, ask: null }
  const { delivery, incident } = found
  const members = await alertMembersOf(ctx.db, ctx)
  const own = members.find(({ userId }) => userId === delivery.userId)?.settings?.language ?? language
  const words = WORDS[own]
  if (incident && isSettled(incident, now)) return { language: own, text: words.notThere, ask: null }
  const { purpose, covers } = delivery
  const composed = await compose(ctx, { purpose, incident, covers, language: own, timeZone: timezone }, now)
  if (composed === null || composed === 'later') return { language: own, text: words.notThere, ask: null }
  if (purpose === 'test') return { language: own, text: `${composed.title}. ${words.testText}`, ask: null }
  return { language: own, text: toSpeech(own, composed), ask: words.press }
}

/**
 * Takes the key that was pressed: 1 takes the alert; any other hears it again. A machine presses none, so it takes nothing.
 * @returns the words for it, or null to read the alert out again
 */
export async function takeKey(
  ctx: BusinessContext,
  deliveryId: string,
  key: string,
  now: Date,
): Promise<Spoken | null> {
  if (key !== '1') return null
  const found = await findCall(ctx, deliveryId)
  const { language } = await speakAlert(ctx, deliveryId, now)
  if (!found?.incident) return { language, text: WORDS[language].notThere, ask: null }
  const { userId } = found.delivery
  const member = within(ctx, ctx.businessId, userId ? { kind: 'user', id: userId } : ctx.actor)
  await takeIncident(member, found.incident.id, { by: userId, how: 'call' }, now)
  return { language, text: WORDS[language].thanks, ask: null }
}

/** Notes a call that no one answered. */
export async function endAlertCall(ctx: BusinessContext, deliveryId: string, status: string): Promise<void> {
  if (!['busy', 'no-answer', 'failed', 'canceled'].includes(status)) return
  await ctx.db
    .update(alertDeliveries)
    .set({ error: `the call ended: ${status}` })
    .where(
      and(
        eq(alertDeliveries.id, deliveryId),
        eq(alertDeliveries.businessId, ctx.businessId),
        eq(alertDeliveries.way, 'call'),
      ),
    )
}

async function findCall(ctx: BusinessContext, deliveryId: string) {
  const [row] = await ctx.db
    .select({ delivery: alertDeliveries, incident: alertIncidents })
    .from(alertDeliveries)
    .leftJoin(
      alertIncidents,
      and(eq(alertIncidents.id, alertDeliveries.incidentId), eq(alertIncidents.businessId, ctx.businessId)),
    )
    .where(
      and(
        eq(alertDeliveries.id, deliveryId),
        eq(alertDeliveries.businessId, ctx.businessId),
        eq(alertDeliveries.way, 'call'),
      ),
    )
  return row ?? null
}
