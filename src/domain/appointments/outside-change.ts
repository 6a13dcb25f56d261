import { and, eq, inArray } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointmentNotices } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { cancelRow, lockRow, moveRow } from './booking.ts'
import { readCalendar } from './business-calendar.ts'
import { lockCalendar } from './lock-calendar.ts'
import { LONGEST_MS } from './queries.ts'

/**
 * Moves an appointment to where a person put it in a calendar outside; moved already, it stays.
 * @param notify whether the customer is notified, as of any other change
 * @throws AppError `appointment_not_found`, `slot_taken`, `not_a_time` for one that is over, or has no length or more than a day
 */
export async function moveByCalendar(
  ctx: BusinessContext,
  id: string,
  to: { startsAt: Date; endsAt: Date },
  { notify, now }: { notify: boolean; now: Date },
): Promise<void> {
  const length = to.endsAt.getTime() - to.startsAt.getTime()
  if (length < 60_000 || length > LONGEST_MS || to.endsAt <= now)
    throw new AppError('invalid', 'not_a_time', 'No appointment can be there: it is over, or has no usual length.')
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    if (row.state !== 'booked') return
    if (row.startsAt.getTime() === to.startsAt.getTime() && row.endsAt.getTime() === to.endsAt.getTime()) return
    const minutes = length / 60_000
    const moved = await moveRow(tx, ctx, await readCalendar(tx, ctx), row, to.startsAt, { now, minutes, anyHour: true })
    if (!notify) await dropNotice(tx, ctx, id, moved.revision)
  })
}

/** Cancels an appointment that a person deleted outside; cancelled already, it stays so. @throws AppError `appointment_not_found` */
export async function cancelByCalendar(
  ctx: BusinessContext,
  id: string,
  { notify, now }: { notify: boolean; now: Date },
): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    if (row.state !== 'booked') return
    await cancelRow(tx, ctx, row, now)
    if (!notify) await dropNotice(tx, ctx, id, row.revision + 1)
  })
}

async function dropNotice(tx: Executor, ctx: BusinessContext, id: string, revision: number): Promise<void> {
  await tx
    .update(appointmentNotices)
    .set({ state: 'dropped', detail: 'not_wanted' })
    .where(
      and(
        eq(appointmentNotices.businessId, ctx.businessId),
        eq(appointmentNotices.appointmentId, id),
        eq(appointmentNotices.revision, revision),
        eq(appointmentNotices.state, 'pending'),
        inArray(appointmentNotices.kind, ['moved', 'cancelled']),
      ),
    )
}
