import { asc, eq } from 'drizzle-orm'
import { businesses, phoneNumbers } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { parsePhone } from '../../lib/phone.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'

export type NewBusiness = { name: string; language: 'he' | 'en'; greeting?: string | null }

/** Creates a business; answers its id. */
export async function createBusiness(ctx: DomainContext, input: NewBusiness): Promise<string> {
  const id = newId()
  await ctx.db.transaction(async (tx) => {
    await tx.insert(businesses).values({ id, ...input })
    await audit(tx, within(ctx, id), { action: 'business.create', entity: 'business', entityId: id })
  })
  return id
}

/** @throws AppError `business_not_found` */
export async function getBusiness(ctx: BusinessContext) {
  const [row] = await ctx.db.select().from(businesses).where(eq(businesses.id, ctx.businessId))
  if (!row) throw new AppError('not_found', 'business_not_found', 'There is no such business.')
  return row
}

/** Every business of the installation, oldest first: for the installation's own tools, never for a tenant. */
export function listBusinesses(ctx: DomainContext) {
  return ctx.db.select().from(businesses).orderBy(asc(businesses.id))
}

/**
 * Lets a business answer a number.
 * @throws AppError `invalid_number`, or `number_taken` when another business answers it
 */
export async function addPhoneNumber(
  ctx: BusinessContext,
  input: { number: string; label?: string; language?: 'he' | 'en' },
) {
  const e164 = parsePhone(input.number)
  if (!e164)
    throw new AppError('invalid', 'invalid_number', 'This is no phone number; write it as +972…', { field: 'number' })
  await ctx.db.transaction(async (tx) => {
    const [made] = await tx
      .insert(phoneNumbers)
      .values({ businessId: ctx.businessId, e164, label: input.label ?? null, language: input.language ?? null })
      .onConflictDoNothing()
      .returning({ id: phoneNumbers.id })
    if (made) {
      await audit(tx, ctx, { action: 'number.add', entity: 'phone_number', entityId: made.id })
      return
    }
    const [taken] = await tx
      .select({ businessId: phoneNumbers.businessId })
      .from(phoneNumbers)
      .where(eq(phoneNumbers.e164, e164))
    if (taken?.businessId !== ctx.businessId)
      throw new AppError('conflict', 'number_taken', 'Another business answers this number.', { field: 'number' })
  })
}

/** Stops serving a business: its calls go to voicemail, its sends are refused. */
export async function blockBusiness(ctx: BusinessContext, reason: string) {
  await setBlocked(ctx, new Date(), reason, 'business.block')
}

export async function unblockBusiness(ctx: BusinessContext) {
  await setBlocked(ctx, null, null, 'business.unblock')
}

async function setBlocked(ctx: BusinessContext, at: Date | null, reason: string | null, action: string) {
  await ctx.db.transaction(async (tx) => {
    await tx.update(businesses).set({ blockedAt: at, blockedReason: reason }).where(eq(businesses.id, ctx.businessId))
    await audit(tx, ctx, { action, entity: 'business', entityId: ctx.businessId })
  })
}
