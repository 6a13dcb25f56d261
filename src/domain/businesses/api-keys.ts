import { and, eq, isNull, lt, or, sql } from 'drizzle-orm'
import { apiKeys } from '../../../db/schema/index.ts'
import { newId, sha256Hex } from '../../lib/ids.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'

/** A new API key of the business. The key itself is answered once and kept nowhere. */
export async function createApiKey(
  ctx: BusinessContext,
  input: { name: string },
): Promise<{ id: string; key: string }> {
  const key = `al_${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url')}`
  const id = newId()
  await ctx.db.transaction(async (tx) => {
    await tx.insert(apiKeys).values({
      id,
      businessId: ctx.businessId,
      name: input.name,
      prefix: key.slice(0, 7),
      hash: sha256Hex(key),
    })
    await audit(tx, ctx, { action: 'api_key.create', entity: 'api_key', entityId: id })
  })
  return { id, key }
}

/** Makes a given key valid for the business: the installation's bootstrap key. Asked again, nothing changes. */
export async function ensureApiKey(ctx: BusinessContext, input: { name: string; key: string }) {
  await ctx.db
    .insert(apiKeys)
    .values({
      businessId: ctx.businessId,
      name: input.name,
      prefix: input.key.slice(0, 4),
      hash: sha256Hex(input.key),
    })
    .onConflictDoNothing()
}

/** Who a key speaks for, or null. Keys are random, so a plain hash and an index look-up are safe. */
export async function authenticateApiKey(
  ctx: DomainContext,
  key: string,
): Promise<{ id: string; businessId: string } | null> {
  const [row] = await ctx.db
    .select({ id: apiKeys.id, businessId: apiKeys.businessId })
    .from(apiKeys)
    .where(and(eq(apiKeys.hash, sha256Hex(key)), isNull(apiKeys.revokedAt)))
  if (!row) return null
  // Once a minute is exact enough, and spares a write per request.
  await ctx.db
    .update(apiKeys)
    .set({ lastUsedAt: new Date() })
    .where(
      and(
        eq(apiKeys.id, row.id),
        or(isNull(apiKeys.lastUsedAt), lt(apiKeys.lastUsedAt, sql`now() - interval '1 minute'`)),
      ),
    )
  return row
}
