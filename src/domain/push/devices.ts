import { createPublicKey } from 'node:crypto'
import { and, asc, eq, isNull, ne, or, sql } from 'drizzle-orm'
import { z } from 'zod'
import { PUSH_KINDS, pushDevices, pushSettings } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId, sha256Hex } from '../../lib/ids.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import type { PushTarget } from '../../providers/push/port.ts'
import { audit, type BusinessContext } from '../context.ts'
import type { PushDeps } from './keys.ts'

export { PUSH_KINDS }

/** Browsers and phones of one member in one business. */
const MAX_DEVICES = 20

/** An uncompressed point of the curve P-256 in base64url (RFC 8291, section 3.1): to another one nothing can be encrypted. */
function isPublicKey(text: string): boolean {
  const point = Buffer.from(text, 'base64url')
  if (point.length !== 65 || point[0] !== 4) return false
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString('base64url'))
  try {
    createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
    return true
  } catch {
    return false
  }
}

/** A browser's PushSubscription, as its `toJSON` gives it. */
export const pushTarget = z.object({
  endpoint: z.url({ protocol: /^https?$/ }).max(2_000),
  keys: z.object({
    p256dh: z
      .string()
      .regex(/^[\w-]{80,100}=?$/)
      .refine(isPublicKey, 'is no public key of P-256'),
    auth: z
      .string()
      .regex(/^[\w-]{16,40}={0,2}$/)
      .refine((secret) => Buffer.from(secret, 'base64url').length === 16, 'is no secret of 16 bytes'),
  }),
})

export const newDevice = z.object({
  subscription: pushTarget,
  /** What its owner recognizes it by. */
  label: z.string().trim().min(1).max(100),
  language: z.enum(['he', 'en']),
  kinds: z
    .array(z.enum(PUSH_KINDS))
    .max(PUSH_KINDS.length)
    .default([...PUSH_KINDS]),
})

export const deviceView = z.object({
  id: z.uuid(),
  label: z.string(),
  language: z.enum(['he', 'en']),
  kinds: z.array(z.enum(PUSH_KINDS)),
  /** SHA-256 of the endpoint: a browser finds itself by it. */
  endpointHash: z.string(),
  lastSentAt: z.date().nullable(),
  createdAt: z.date(),
})

const view = {
  id: pushDevices.id,
  label: pushDevices.label,
  language: pushDevices.language,
  kinds: pushDevices.kinds,
  endpointHash: pushDevices.endpointHash,
  lastSentAt: pushDevices.lastSentAt,
  createdAt: pushDevices.createdAt,
}
type Row = typeof pushDevices.$inferSelect

/** The devices of the member who asks. */
export async function listPushDevices(ctx: BusinessContext) {
  const rows = await ctx.db.select(view).from(pushDevices).where(mine(ctx)).orderBy(asc(pushDevices.id))
  return rows.map(toView)
}

/**
 * Notifies the browser from now on; one that was there already gets the new settings. A browser belongs to who used it last:
 * it is taken from another member.
 * @throws AppError `member_required`, `push_forbidden`, `too_many_devices`
 */
export async function addPushDevice(ctx: BusinessContext, { sender, box }: PushDeps, input: z.input<typeof newDevice>) {
  const { subscription, label, language, kinds } = newDevice.parse(input)
  const userId = memberOf(ctx)
  // A name without an address is refused alike: the answer must not show which names the network has.
  if (!(await sender.isAllowed(subscription.endpoint)))
    throw new AppError('invalid', 'push_forbidden', 'The address of the push service is not a public one.', {
      field: 'subscription.endpoint',
    })
  const endpointHash = sha256Hex(subscription.endpoint)
  return await ctx.db.transaction(async (tx) => {
    await tx
      .delete(pushDevices)
      .where(
        and(
          eq(pushDevices.businessId, ctx.businessId),
          eq(pushDevices.endpointHash, endpointHash),
          userId === null
            ? sql`${pushDevices.userId} is not null`
            : or(isNull(pushDevices.userId), ne(pushDevices.userId, userId)),
        ),
      )
    const [known] = await tx
      .select({ id: pushDevices.id })
      .from(pushDevices)
      .where(and(mine(ctx), eq(pushDevices.endpointHash, endpointHash)))
      .for('update')
    const id = known?.id ?? newId()
    if (!known && (await tx.$count(pushDevices, mine(ctx))) >= MAX_DEVICES)
      throw new AppError('conflict', 'too_many_devices', 'There are too many devices. Remove one first.')
    const values = { sealed: sealTarget(box, id, subscription), label, language, kinds }
    const [row] = await tx
      .insert(pushDevices)
      .values({ id, businessId: ctx.businessId, userId, endpointHash, ...values })
      .onConflictDoUpdate({ target: [pushDevices.businessId, pushDevices.endpointHash], set: values })
      .returning(view)
    if (!row) throw new Error('The device was neither written nor refused.')
    if (!known) await audit(tx, ctx, { action: 'push.subscribe', entity: 'push_device', entityId: id })
    return toView(row)
  })
}

/** @throws AppError `device_not_found` */
export async function changePushDevice(
  ctx: BusinessContext,
  { id, kinds }: { id: string; kinds: (typeof PUSH_KINDS)[number][] },
) {
  const [row] = await ctx.db
    .update(pushDevices)
    .set({ kinds })
    .where(and(mine(ctx), eq(pushDevices.id, id)))
    .returning(view)
  if (!row) throw noDevice()
  return toView(row)
}

/** @throws AppError `device_not_found` */
export async function removePushDevice(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const gone = await tx
      .delete(pushDevices)
      .where(and(mine(ctx), eq(pushDevices.id, id)))
      .returning({ id: pushDevices.id })
    if (gone.length === 0) throw noDevice()
    await audit(tx, ctx, { action: 'push.unsubscribe', entity: 'push_device', entityId: id })
  })
}

/** Whether the device is one of the member who asks. @throws AppError `device_not_found` */
export async function requireOwnDevice(ctx: BusinessContext, id: string): Promise<void> {
  const [device] = await ctx.db
    .select({ id: pushDevices.id })
    .from(pushDevices)
    .where(and(mine(ctx), eq(pushDevices.id, id)))
  if (!device) throw noDevice()
}

export const pushSettingsView = z.object({
  /** Whether notifications hold what people wrote or said. */
  showText: z.boolean(),
})

export async function getPushSettings(ctx: BusinessContext): Promise<z.infer<typeof pushSettingsView>> {
  const [row] = await ctx.db
    .select({ showText: pushSettings.showText })
    .from(pushSettings)
    .where(eq(pushSettings.businessId, ctx.businessId))
  return row ?? { showText: false }
}

export async function savePushSettings(ctx: BusinessContext, settings: z.infer<typeof pushSettingsView>) {
  await ctx.db.transaction(async (tx) => {
    await tx
      .insert(pushSettings)
      .values({ businessId: ctx.businessId, ...settings })
      .onConflictDoUpdate({ target: pushSettings.businessId, set: settings })
    await audit(tx, ctx, { action: 'push.settings', entity: 'business', entityId: ctx.businessId, data: settings })
  })
  return settings
}

export function openTarget(box: SecretBox, device: Pick<Row, 'id' | 'sealed'>): PushTarget {
  return pushTarget.parse(JSON.parse(box.open(device.sealed, placeOf(device.id))))
}

function sealTarget(box: SecretBox, id: string, target: PushTarget): string {
  return box.seal(JSON.stringify(target), placeOf(id))
}

function placeOf(id: string): string {
  return `push device ${id}`
}

/** Null for the sandbox's own machine. @throws AppError `member_required` for an API key */
function memberOf({ actor }: BusinessContext): string | null {
  if (actor.kind === 'user') return actor.id
  if (actor.kind === 'system') return null
  throw new AppError('forbidden', 'member_required', 'A device belongs to a member. Log in to the console.')
}

function mine(ctx: BusinessContext) {
  const userId = memberOf(ctx)
  return and(
    eq(pushDevices.businessId, ctx.businessId),
    userId === null ? isNull(pushDevices.userId) : eq(pushDevices.userId, userId),
  )
}

function toView(row: Pick<Row, keyof typeof view>): z.infer<typeof deviceView> {
  return { ...row, kinds: PUSH_KINDS.filter((kind) => row.kinds.includes(kind)) }
}

function noDevice(): AppError {
  return new AppError('not_found', 'device_not_found', 'There is no such device of yours.')
}
