import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { contacts } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { audit, type BusinessContext } from '../context.ts'

export async function insertUnreachableContact(
  tx: Executor,
  ctx: BusinessContext,
  known: { name: string | null; email: string | null },
): Promise<string> {
  const id = newId()
  await tx.insert(contacts).values({ id, businessId: ctx.businessId, ...known })
  await audit(tx, ctx, { action: 'contact.create', entity: 'contact', entityId: id })
  return id
}

/** Fills what a contact lacks; what it has stays, also in its custom fields. */
export async function fillContact(
  tx: Executor,
  ctx: BusinessContext,
  contactId: string,
  fill: { name?: string | null; email?: string | null; custom?: Record<string, string> },
): Promise<void> {
  const mine = and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId))
  if (fill.name)
    await tx
      .update(contacts)
      .set({ name: fill.name })
      .where(and(mine, isNull(contacts.name)))
  if (fill.email)
    await tx
      .update(contacts)
      .set({ email: fill.email })
      .where(and(mine, isNull(contacts.email)))
  if (Object.keys(fill.custom ?? {}).length > 0)
    await tx
      .update(contacts)
      .set({ custom: sql`${JSON.stringify(fill.custom)}::jsonb || ${contacts.custom}` })
      .where(mine)
}
