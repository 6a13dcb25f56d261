import { and, eq, sql } from 'drizzle-orm'
import { memberships, pushDeliveries, pushDevices } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { contentOf } from './content.ts'
import { getPushSettings, openTarget } from './devices.ts'
import { ensurePushKeys, type PushDeps } from './keys.ts'
import { notificationOf } from './texts.ts'

/** Those of the job. */
const PUSH_ATTEMPTS = 8
const AGAIN_MS = 60_000

type Outcome = 'sent' | 'dropped' | 'failed' | 'later' | 'gone'

/**
 * Sends one notification. Sent, dropped or given up already, it does nothing; a browser that takes none any more is forgotten.
 * @throws AppError `push_refused`, `push_unreachable` when it is worth trying again
 */
export async function deliverPush(ctx: BusinessContext, deliveryId: string, deps: PushDeps): Promise<Outcome> {
  const [row] = await ctx.db
    .select({ delivery: pushDeliveries, device: pushDevices })
    .from(pushDeliveries)
    .innerJoin(
      pushDevices,
      and(eq(pushDevices.id, pushDeliveries.deviceId), eq(pushDevices.businessId, ctx.businessId)),
    )
    .where(and(eq(pushDeliveries.id, deliveryId), eq(pushDeliveries.businessId, ctx.businessId)))
  if (!row) return 'gone'
  const { delivery, device } = row
  if (delivery.state !== 'pending') return delivery.state
  const write = (changes: Partial<typeof pushDeliveries.$inferInsert>) =>
    ctx.db
      .update(pushDeliveries)
      .set(changes)
      .where(and(eq(pushDeliveries.id, deliveryId), eq(pushDeliveries.state, 'pending')))
  if (!(await isMember(ctx, device.userId))) {
    await removeDevice(ctx, device.id, 'no member any more')
    return 'gone'
  }
  const content = await contentOf(ctx, delivery)
  if (content === 'later') {
    await write({ notBefore: new Date(Date.now() + AGAIN_MS), queuedAt: null })
    return 'later'
  }
  if (!content) {
    await write({ state: 'dropped' })
    return 'dropped'
  }
  const { showText } = await getPushSettings(ctx)
  const notification = notificationOf(device.language, {
    ...content,
    kind: delivery.kind,
    tag: `${delivery.kind}-${delivery.entityId}`,
    text: showText ? content.text : null,
  })
  const attempts = delivery.attempts + 1
  try {
    const keys = await ensurePushKeys(ctx, deps)
    const outcome = await deps.sender.send(openTarget(deps.box, device), JSON.stringify(notification), keys)
    if (outcome === 'gone') {
      await removeDevice(ctx, device.id, 'the browser takes none any more')
      return 'gone'
    }
  } catch (error) {
    const over = attempts >= PUSH_ATTEMPTS || !(error instanceof AppError && error.kind === 'unavailable')
    await write({ attempts, error: errorMessage(error).slice(0, 300), ...(over ? { state: 'failed' as const } : {}) })
    if (!over) throw error
    ctx.log.warn({ deviceId: device.id, error: errorMessage(error) }, 'notification given up')
    return 'failed'
  }
  await write({ attempts, state: 'sent', error: null })
  await ctx.db
    .update(pushDevices)
    .set({ lastSentAt: new Date() })
    .where(and(eq(pushDevices.id, device.id), eq(pushDevices.businessId, ctx.businessId)))
  return 'sent'
}

/** A device without a login is the sandbox's own machine. */
async function isMember(ctx: BusinessContext, userId: string | null): Promise<boolean> {
  if (userId === null) return true
  const [row] = await ctx.db
    .select({ one: sql`1` })
    .from(memberships)
    .where(and(eq(memberships.businessId, ctx.businessId), eq(memberships.userId, userId)))
  return row !== undefined
}

async function removeDevice(ctx: BusinessContext, deviceId: string, why: string): Promise<void> {
  await ctx.db.delete(pushDevices).where(and(eq(pushDevices.id, deviceId), eq(pushDevices.businessId, ctx.businessId)))
  ctx.log.info({ deviceId, why }, 'device of notifications removed')
}
