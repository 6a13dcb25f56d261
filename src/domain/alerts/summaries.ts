import { and, asc, eq, isNotNull, lte, or, sql } from 'drizzle-orm'
import { alertDeliveries, alertMembers, businesses, pushDevices, users } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import type { DomainContext } from '../context.ts'
import type { Reach } from './plan.ts'
import { daysBefore, nextAt } from './quiet.ts'

const SUMMARY_LIVES_MS = 12 * 3_600_000
const WEEKLY_AT = '08:00'

/** Tells what was held, now that its time has come: one alert as it is, several in one summary. @returns how many */
export async function releaseHeld(ctx: DomainContext, now: Date): Promise<number> {
  return await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .select()
      .from(alertDeliveries)
      .where(and(eq(alertDeliveries.state, 'held'), lte(alertDeliveries.notBefore, now)))
      .orderBy(asc(alertDeliveries.id))
      .limit(1_000)
      .for('update', { skipLocked: true })
    // That something is over or taken is sent as it is: in a summary it would look like an alert.
    const groups = Map.groupBy(rows, ({ id, purpose, businessId, way, userId, deviceId, channelId }) =>
      purpose === 'taken' || purpose === 'all_clear' ? id : [businessId, way, userId, deviceId, channelId].join(':'),
    )
    for (const held of groups.values()) {
      const [first] = held
      if (!first) continue
      const ids = held.map(({ id }) => id)
      const idsIn = sql`${alertDeliveries.id} in (${sql.join(
        ids.map((id) => sql`${id}::uuid`),
        sql`, `,
      )})`
      if (held.length === 1) {
        await tx.update(alertDeliveries).set({ state: 'pending', queuedAt: null }).where(idsIn)
        continue
      }
      await tx.update(alertDeliveries).set({ state: 'summarized' }).where(idsIn)
      const { businessId, way, userId, deviceId, channelId, address } = first
      const incidentIds = [...new Set(held.flatMap(({ incidentId }) => incidentId ?? []))]
      await tx.insert(alertDeliveries).values({
        businessId,
        way,
        userId,
        deviceId,
        channelId,
        address,
        kind: 'summary',
        purpose: 'summary',
        key: `held:${newId()}`,
        state: 'pending',
        covers: { from: first.createdAt.toISOString(), to: now.toISOString(), incidentIds },
        notBefore: now,
        expiresAt: new Date(now.getTime() + SUMMARY_LIVES_MS),
      })
    }
    return rows.length
  })
}

/** Writes the summaries of a day and a week that are due: by mail, or on the devices where there is no mail. @returns how many */
export async function writeSummaries(ctx: DomainContext, reach: Reach, now: Date): Promise<number> {
  return await ctx.db.transaction(async (tx) => {
    const due = await tx
      .select({ member: alertMembers, timezone: businesses.timezone, email: users.email })
      .from(alertMembers)
      .innerJoin(businesses, eq(businesses.id, alertMembers.businessId))
      .leftJoin(users, eq(users.id, alertMembers.userId))
      .where(
        or(
          and(isNotNull(alertMembers.nextDailyAt), lte(alertMembers.nextDailyAt, now)),
          and(isNotNull(alertMembers.nextWeeklyAt), lte(alertMembers.nextWeeklyAt, now)),
        ),
      )
      .limit(200)
      .for('update', { of: alertMembers, skipLocked: true })
    for (const { member, timezone, email } of due) {
      const { businessId, userId, dailyAt, weeklyOn } = member
      const spans = [
        { at: member.nextDailyAt, days: 1, name: 'daily' },
        { at: member.nextWeeklyAt, days: 7, name: 'weekly' },
      ]
      for (const { at, days, name } of spans) {
        if (!at || at > now) continue
        const base = {
          businessId,
          userId,
          kind: 'summary',
          purpose: 'summary' as const,
          state: 'pending' as const,
          // To where the one before ended: a day may have 23 or 25 hours.
          covers: { from: daysBefore(at, days, timezone).toISOString(), to: at.toISOString() },
          notBefore: now,
          expiresAt: new Date(at.getTime() + SUMMARY_LIVES_MS),
        }
        const key = `${name}:${userId ?? 'machine'}:${at.getTime()}`
        if (reach.mail && email && !member.mailOffAt)
          await tx
            .insert(alertDeliveries)
            .values({ ...base, way: 'email', key })
            .onConflictDoNothing()
        else {
          const devices = await tx
            .select({ id: pushDevices.id })
            .from(pushDevices)
            .where(
              and(eq(pushDevices.businessId, businessId), sql`${pushDevices.userId} is not distinct from ${userId}`),
            )
          for (const { id: deviceId } of devices)
            await tx
              .insert(alertDeliveries)
              .values({ ...base, way: 'push', deviceId, key: `${key}:${deviceId}` })
              .onConflictDoNothing()
        }
      }
      await tx
        .update(alertMembers)
        .set({
          nextDailyAt: dailyAt ? nextAt(now, dailyAt, timezone) : null,
          nextWeeklyAt: weeklyOn === null ? null : nextAt(now, dailyAt ?? WEEKLY_AT, timezone, weeklyOn),
        })
        .where(eq(alertMembers.id, member.id))
    }
    return due.length
  })
}
