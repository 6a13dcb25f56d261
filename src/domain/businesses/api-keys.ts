import { and, eq, isNull, lt, ne, or, sql } from 'drizzle-orm'
import { z } from 'zod'
import { apiKeys } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId, sha256Hex } from '../../lib/ids.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { lock } from '../locks.ts'
import { SCOPES, type Scope } from '../members/index.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'

export const apiKeyView = z.object({
  id: z.uuid(),
  name: z.string(),
  prefix: z.string(),
  scope: z.enum(SCOPES),
  operator: z.boolean(),
  lastUsedAt: z.date().nullable(),
  revokedAt: z.date().nullable(),
  createdAt: z.date(),
})

export async function listApiKeys(ctx: BusinessContext, input: z.input<typeof pageInput>) {
  const page = pageInput.parse(input)
  const query = pageQuery(apiKeys.id, page, eq(apiKeys.businessId, ctx.businessId))
  const rows = await ctx.db.select().from(apiKeys).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(rows, page.limit)
}

/** A new API key of the business. The key itself is answered once and kept nowhere. */
export async function createApiKey(
  ctx: BusinessContext,
  input: { name: string; scope?: Scope; operator?: boolean },
): Promise<{ id: string; key: string }> {
  if (input.name === BOOTSTRAP)
    throw new AppError('invalid', 'name_reserved', 'This name is the installation’s own; choose another.', {
      field: 'name',
    })
  const key = `al_${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url')}`
  const id = newId()
  const scope = input.scope ?? 'admin'
  const operator = input.operator ?? false
  if (operator && scope !== 'admin')
    throw new AppError('invalid', 'operator_needs_admin', 'An operator’s key has the scope admin.', { field: 'scope' })
  await ctx.db.transaction(async (tx) => {
    await tx.insert(apiKeys).values({
      id,
      businessId: ctx.businessId,
      name: input.name,
      prefix: key.slice(0, 7),
      hash: sha256Hex(key),
      scope,
      operator,
    })
    await audit(tx, ctx, { action: 'api_key.create', entity: 'api_key', entityId: id, data: { scope, operator } })
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

/** Makes the key from the settings the installation's own and ends earlier ones. A revoked key stays revoked. */
export async function setBootstrapKey(
  ctx: BusinessContext,
  key: string,
): Promise<{ revoked: number; state: 'valid' | 'revoked' }> {
  const hash = sha256Hex(key)
  return await ctx.db.transaction(async (tx) => {
    await lock(tx, 'api_keys:bootstrap')
    const gone = await tx
      .update(apiKeys)
      .set({ revokedAt: new Date() })
      .where(and(bootstrapKeys(ctx), isNull(apiKeys.revokedAt), ne(apiKeys.hash, hash)))
      .returning({ id: apiKeys.id })
    for (const { id } of gone) await audit(tx, ctx, { action: 'api_key.revoke', entity: 'api_key', entityId: id })
    const id = newId()
    const [made] = await tx
      .insert(apiKeys)
      .values({ id, businessId: ctx.businessId, name: BOOTSTRAP, prefix: key.slice(0, 4), hash, operator: true })
      .onConflictDoNothing()
      .returning({ id: apiKeys.id })
    if (made)
      await audit(tx, ctx, { action: 'api_key.create', entity: 'api_key', entityId: id, data: { scope: 'admin' } })
    const [row] = await tx.select({ revokedAt: apiKeys.revokedAt }).from(apiKeys).where(eq(apiKeys.hash, hash))
    return { revoked: gone.length, state: row?.revokedAt ? ('revoked' as const) : ('valid' as const) }
  })
}

/** Whether a key that once came from the settings still opens the installation. */
export async function bootstrapKeyExists(ctx: BusinessContext): Promise<boolean> {
  const rows = await ctx.db
    .select({ id: apiKeys.id })
    .from(apiKeys)
    .where(and(bootstrapKeys(ctx), isNull(apiKeys.revokedAt)))
    .limit(1)
  return rows.length > 0
}

const BOOTSTRAP = 'bootstrap'

function bootstrapKeys(ctx: BusinessContext) {
  return and(eq(apiKeys.businessId, ctx.businessId), eq(apiKeys.name, BOOTSTRAP))
}

/** What a key of the business may do; null once it is revoked. */
export async function scopeOfApiKey(ctx: BusinessContext, id: string): Promise<Scope | null> {
  const [row] = await ctx.db
    .select({ scope: apiKeys.scope })
    .from(apiKeys)
    .where(and(eq(apiKeys.id, id), eq(apiKeys.businessId, ctx.businessId), isNull(apiKeys.revokedAt)))
  return row?.scope ?? null
}

/** Who a key speaks for, or null. Keys are random, so a plain hash and an index look-up are safe. */
export async function authenticateApiKey(
  ctx: DomainContext,
  key: string,
): Promise<{ id: string; businessId: string; scope: Scope; operator: boolean } | null> {
  const [row] = await ctx.db
    .select({ id: apiKeys.id, businessId: apiKeys.businessId, scope: apiKeys.scope, operator: apiKeys.operator })
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
