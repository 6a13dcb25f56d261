import { and, asc, eq } from 'drizzle-orm'
import type { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { businessTexts } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { audit, type BusinessContext } from '../context.ts'
import { businessText, readProfile } from './content.ts'
import { addVersion, lockReceptionist } from './versions.ts'

/** Keeps a text, in a new version; one of the same title is replaced. */
export async function saveBusinessText(ctx: BusinessContext, input: z.input<typeof businessText>): Promise<string> {
  const text = businessText.parse(input)
  return await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    const [same] = await tx
      .select({ id: businessTexts.id })
      .from(businessTexts)
      .where(
        and(
          eq(businessTexts.businessId, ctx.businessId),
          eq(businessTexts.title, text.title),
          eq(businessTexts.body, text.body),
        ),
      )
    if (same) return same.id
    const [row] = await tx
      .insert(businessTexts)
      .values({ businessId: ctx.businessId, ...text })
      .onConflictDoUpdate({
        target: [businessTexts.businessId, businessTexts.title],
        set: { body: text.body, updatedAt: new Date() },
      })
      .returning({ id: businessTexts.id })
    if (!row) throw new Error('The text upsert answered no row.')
    await addTextVersion(tx, ctx)
    await audit(tx, ctx, { action: 'business_text.save', entity: 'business_text', entityId: row.id })
    return row.id
  })
}

/** @throws AppError `text_not_found` */
export async function removeBusinessText(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    const [row] = await tx
      .delete(businessTexts)
      .where(and(eq(businessTexts.id, id), eq(businessTexts.businessId, ctx.businessId)))
      .returning({ id: businessTexts.id })
    if (!row) throw new AppError('not_found', 'text_not_found', 'There is no such text.')
    await addTextVersion(tx, ctx)
    await audit(tx, ctx, { action: 'business_text.remove', entity: 'business_text', entityId: id })
  })
}

async function addTextVersion(tx: Executor, ctx: BusinessContext): Promise<void> {
  const { settings } = await readProfile(tx, ctx)
  await addVersion(tx, ctx, { settings })
}

export function listBusinessTexts(ctx: BusinessContext) {
  return ctx.db
    .select()
    .from(businessTexts)
    .where(eq(businessTexts.businessId, ctx.businessId))
    .orderBy(asc(businessTexts.title))
    .limit(500)
}
