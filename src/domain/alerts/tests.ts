import { and, eq, sql } from 'drizzle-orm'
import { alertDeliveries, pushDevices } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { audit, type BusinessContext } from '../context.ts'
import { requireOwnDevice } from '../push/index.ts'
import { getChannel } from './channels.ts'
import type { MemberWay } from './kinds.ts'
import { memberWhoAsks } from './members.ts'
import { alertMembersOf, phoneOf, type Reach, waysOf } from './plan.ts'

const TEST_LIVES_MS = 15 * 60_000
/** Each of a way that costs money, in an hour. */
const TESTS_PER_HOUR = 5

/**
 * Sends the member who asks a test by one way. @returns the ids of the deliveries, whose states tell how it went
 * @throws AppError `way_unreachable`, `too_many_tests`
 */
export async function testWay(ctx: BusinessContext, way: MemberWay, reach: Reach, now: Date): Promise<string[]> {
  const userId = memberWhoAsks(ctx)
  return await ctx.db.transaction(async (tx) => {
    const member = (await alertMembersOf(tx, ctx)).find((each) => each.userId === userId)
    const devices = await tx
      .select({ id: pushDevices.id })
      .from(pushDevices)
      .where(and(eq(pushDevices.businessId, ctx.businessId), sql`${pushDevices.userId} is not distinct from ${userId}`))
    if (!member || !waysOf(ctx, member, devices.length > 0, reach).has(way))
      throw new AppError(
        'conflict',
        'way_unreachable',
        'You cannot be reached by this way yet. Notify a device, verify your number, or ask for a mail server.',
        { field: 'way' },
      )
    await limitTests(tx, ctx, way, now)
    const address = way === 'push' || way === 'email' ? null : phoneOf(member)
    const rows = way === 'push' ? devices.map(({ id }) => ({ deviceId: id })) : [{ address }]
    const ids = rows.map(() => newId())
    await tx
      .insert(alertDeliveries)
      .values(rows.map((row, at) => ({ ...testRow(ctx, ids[at] ?? newId(), now), way, userId, ...row })))
    await audit(tx, ctx, { action: 'alert.test', entity: 'alert_member', entityId: userId ?? 'machine', data: { way } })
    return ids
  })
}

/** Sends one device of the member who asks a test. @throws AppError `device_not_found` */
export async function testDevice(ctx: BusinessContext, deviceId: string, now: Date): Promise<void> {
  await requireOwnDevice(ctx, deviceId)
  const userId = memberWhoAsks(ctx)
  await ctx.db.transaction(async (tx) => {
    await tx.insert(alertDeliveries).values({ ...testRow(ctx, newId(), now), way: 'push', userId, deviceId })
    await audit(tx, ctx, { action: 'push.test', entity: 'push_device', entityId: deviceId })
  })
}

/** Sends a channel a test. @throws AppError `channel_not_found`, `too_many_tests` */
export async function testChannel(ctx: BusinessContext, id: string, now: Date): Promise<string[]> {
  const { way } = await getChannel(ctx, id)
  return await ctx.db.transaction(async (tx) => {
    const deliveryId = newId()
    await tx.insert(alertDeliveries).values({ ...testRow(ctx, deliveryId, now), way, channelId: id })
    await audit(tx, ctx, { action: 'alert.test', entity: 'alert_channel', entityId: id, data: { way } })
    return [deliveryId]
  })
}

function testRow(ctx: BusinessContext, id: string, now: Date) {
  return {
    id,
    businessId: ctx.businessId,
    kind: 'test',
    purpose: 'test' as const,
    key: `test:${id}`,
    state: 'pending' as const,
    notBefore: now,
    expiresAt: new Date(now.getTime() + TEST_LIVES_MS),
  }
}

async function limitTests(tx: Pick<BusinessContext['db'], '$count'>, ctx: BusinessContext, way: MemberWay, now: Date) {
  if (way !== 'sms' && way !== 'call' && way !== 'whatsapp') return
  const since = new Date(now.getTime() - 3_600_000)
  const recent = await tx.$count(
    alertDeliveries,
    sql`${alertDeliveries.businessId} = ${ctx.businessId} and ${alertDeliveries.purpose} = 'test'
      and ${alertDeliveries.way} = ${way} and ${alertDeliveries.notBefore} > ${since.toISOString()}::timestamptz`,
  )
  if (recent >= TESTS_PER_HOUR)
    throw new AppError('rate_limited', 'too_many_tests', 'There were enough tests of this way. Try again in an hour.')
}
