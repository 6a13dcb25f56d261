import { and, eq, lte, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointments } from '../../../db/schema/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'
import { offerWaiting } from './offer-waiting.ts'
import { planEnd } from './plan-notices.ts'

/** One change of a business's appointments at a time: two that overlap cannot both see a free slot. Holds that are over end, and who waits comes first. */
export async function lockCalendar(tx: Executor, ctx: BusinessContext, now: Date): Promise<void> {
  await lock(tx, `appointments:${ctx.businessId}`)
  const expired = await expireHolds(tx, ctx, now)
  if (expired > 0) await offerWaiting(tx, ctx, now)
}

/** Gives up what was held and not booked in time. @returns how many */
export async function expireHolds(tx: Executor, ctx: BusinessContext, now: Date): Promise<number> {
  const rows = await tx
    .update(appointments)
    .set({ state: 'expired', requestKey: null })
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        eq(appointments.state, 'held'),
        lte(appointments.heldUntil, now),
        // Paid for, and about to be booked.
        sql`not exists (select from payments where payments.id = ${appointments.depositPaymentId} and payments.state = 'paid')`,
      ),
    )
    .returning({
      id: appointments.id,
      revision: appointments.revision,
      contactId: appointments.contactId,
      depositPaymentId: appointments.depositPaymentId,
    })
  for (const { id } of rows) await audit(tx, ctx, { action: 'appointment.expire', entity: 'appointment', entityId: id })
  const asked = rows.filter(({ depositPaymentId, contactId }) => depositPaymentId && contactId)
  await planEnd(tx, ctx, asked, 'released', now)
  return rows.length
}
