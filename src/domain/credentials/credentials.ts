import { and, asc, eq } from 'drizzle-orm'
import { businessCredentials } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { audit, type BusinessContext } from '../context.ts'
import type { Keyring } from './keyring.ts'
import { type CredentialProvider, type CredentialsInput, hintOf } from './kinds.ts'

const view = {
  provider: businessCredentials.provider,
  hint: businessCredentials.hint,
  createdAt: businessCredentials.createdAt,
  updatedAt: businessCredentials.updatedAt,
}

/** For which providers the business has keys of its own, with a hint of each; never the keys. */
export function listCredentials(ctx: BusinessContext) {
  return ctx.db
    .select(view)
    .from(businessCredentials)
    .where(eq(businessCredentials.businessId, ctx.businessId))
    .orderBy(asc(businessCredentials.provider))
}

/** Gives the business keys of its own for a provider, instead of those it had. They are in use in this process at once. */
export async function setCredentials(ctx: BusinessContext, keyring: Keyring, input: CredentialsInput) {
  const { businessId } = ctx
  const { provider } = input
  const hint = hintOf(input)
  const sealed = sealKeys(keyring, businessId, input)
  const made = await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .insert(businessCredentials)
      .values({ businessId, provider, sealed, hint })
      .onConflictDoUpdate({
        target: [businessCredentials.businessId, businessCredentials.provider],
        set: { sealed, hint, updatedAt: new Date() },
      })
      .returning(view)
    if (!row) throw new Error('The keys were neither written nor refused.')
    // Ids and names alone: an audit entry leaves the installation as an event.
    await audit(tx, ctx, { action: 'credentials.set', entity: 'credentials', entityId: provider })
    return row
  })
  await keyring.refresh()
  return made
}

/** Removes the business's own keys, so that the installation's serve it. @throws AppError `credentials_not_found` */
export async function removeCredentials(
  ctx: BusinessContext,
  keyring: Keyring,
  provider: CredentialProvider,
): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const gone = await tx
      .delete(businessCredentials)
      .where(and(eq(businessCredentials.businessId, ctx.businessId), eq(businessCredentials.provider, provider)))
      .returning({ id: businessCredentials.id })
    if (gone.length === 0)
      throw new AppError('not_found', 'credentials_not_found', 'The business has no keys of its own for this provider.')
    await audit(tx, ctx, { action: 'credentials.remove', entity: 'credentials', entityId: provider })
  })
  await keyring.refresh()
}

function sealKeys(keyring: Keyring, businessId: string, input: CredentialsInput): string {
  switch (input.provider) {
    case 'twilio':
      return keyring.seal(businessId, 'twilio', input.keys)
    case 'openai':
      return keyring.seal(businessId, 'openai', input.keys)
    case 'anthropic':
      return keyring.seal(businessId, 'anthropic', input.keys)
    case 'google':
      return keyring.seal(businessId, 'google', input.keys)
    case 'compatible':
      return keyring.seal(businessId, 'compatible', input.keys)
    case 'paypal':
      return keyring.seal(businessId, 'paypal', input.keys)
    case 'tranzila':
      return keyring.seal(businessId, 'tranzila', input.keys)
  }
}
