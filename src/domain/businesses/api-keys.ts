import { and, eq, isNull, lt, or, sql } from 'drizzle-orm'
import { z } from 'zod'
import { apiKeys } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId, sha256Hex } from '../../lib/ids.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { SCOPES, type Scope } from '../members/index.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'

export const apiKeyView = z.object({
  id: z.uuid(),
  name: z.string(),
  prefix: z.string(),
  scope: z.enum(SCOPES),
  lastUsedAt: z.date().nullable(),
  revokedAt: z.date().nullable(),
  createdAt: z.date(),
})

/** The API keys of the business, newest first, the revoked ones included. */
export async function listApiKeys(ctx: BusinessContext, input: z.input<typeof pageInput>) {
  const page = pageInput.parse(input)
  const query = pageQuery(apiKeys.id, page, eq(apiKeys.businessId, ctx.businessId))
  const rows = await ctx.db.select().from(apiKeys).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(rows, page.limit)
}

/** A new API key of the business. The key itself is answered once and kept nowhere. */
export async function createApiKey(
  ctx: BusinessContext,
  input: { name: string; scope?: Scope },
): Promise<{ id: string; key: string }> {
  const key = `al_${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url')}`
  const id = newId()
  const scope = input.scope ?? 'admin'
  await ctx.db.transaction(async (tx) => {
    await tx.insert(apiKeys).values({
      id,
      businessId: ctx.businessId,
      name: input.name,
      prefix: key.slice(0, 7),
      hash: sha256Hex(key),
      scope,
    })
    await audit(tx, ctx, { action: 'api_key.create', entity: 'api_key', entityId: id, data: { scope } })
  })
  return { id, key }
}

/** Ends a key at once. Revoked again, it stays as it is. @throws AppError `api_key_not_found` */
export async function revokeApiKey(ctx: BusinessContext, id: string): Promise<void> {
  const mine = and(eq(apiKeys.id, id), eq(apiKeys.businessId, ctx.businessId))
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx.select({ revokedAt: apiKeys.revokedAt }).from(apiKeys).where(mine).for('update')
    if (!row) throw new AppError('not_found', 'api_key_not_found', 'There is no such API key.')
    if (row.revokedAt) return
    await tx.update(apiKeys).set({ revokedAt: new Date() }).where(mine)
    await audit(tx, ctx, { action: 'api_key.revoke', entity: 'api_key', entityId: id })
  })
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
): Promise<{ id: string; businessId: string; scope: Scope } | null> {
  const [row] = await ctx.db
    .select({ id: apiKeys.id, businessId: apiKeys.businessId, scope: apiKeys.scope })
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
