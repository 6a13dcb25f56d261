import { and, eq } from 'drizzle-orm'
import { pushDevices } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import { openTarget } from './devices.ts'
import { ensurePushKeys, type PushDeps } from './keys.ts'

/**
 * Sends a message to one device; a browser that takes none any more is forgotten.
 * @throws AppError `push_refused`, `push_unreachable` when it is worth trying again; `push_forbidden` when not
 */
export async function sendToDevice(
  ctx: BusinessContext,
  deviceId: string,
  payload: (language: 'he' | 'en') => Promise<string>,
  deps: PushDeps,
): Promise<'sent' | 'gone'> {
  const thisDevice = and(eq(pushDevices.id, deviceId), eq(pushDevices.businessId, ctx.businessId))
  const [device] = await ctx.db.select().from(pushDevices).where(thisDevice)
  if (!device) return 'gone'
  const keys = await ensurePushKeys(ctx, deps)
  const outcome = await deps.sender.send(openTarget(deps.box, device), await payload(device.language), keys)
  if (outcome === 'gone') await forgetDevice(ctx, deviceId, 'the browser takes none any more')
  else await ctx.db.update(pushDevices).set({ lastSentAt: new Date() }).where(thisDevice)
  return outcome
}

export async function forgetDevice(ctx: BusinessContext, deviceId: string, why: string): Promise<void> {
  await ctx.db.delete(pushDevices).where(and(eq(pushDevices.id, deviceId), eq(pushDevices.businessId, ctx.businessId)))
  ctx.log.info({ deviceId, why }, 'device of notifications removed')
}
