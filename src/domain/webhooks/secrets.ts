import { eq, like } from 'drizzle-orm'
import { webhookEndpoints } from '../../../db/schema/index.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import type { DomainContext } from '../context.ts'

const PLAIN = 'whsec_'

export function sealEndpointSecret(box: SecretBox, endpointId: string, secret: string): string {
  return box.seal(secret, placeOf(endpointId))
}

/** @throws AppError `secret_unreadable` when SESSION_SECRET is another one */
export function openEndpointSecret(box: SecretBox, endpointId: string, stored: string): string {
  return stored.startsWith(PLAIN) ? stored : box.open(stored, placeOf(endpointId))
}

/** Seals the secrets that an earlier version stored as they are. @returns how many */
export async function sealStoredSecrets(ctx: Pick<DomainContext, 'db'>, box: SecretBox): Promise<number> {
  return await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .select({ id: webhookEndpoints.id, secret: webhookEndpoints.secret })
      .from(webhookEndpoints)
      .where(like(webhookEndpoints.secret, 'whsec\\_%'))
      .for('update')
    for (const { id, secret } of rows)
      await tx
        .update(webhookEndpoints)
        .set({ secret: sealEndpointSecret(box, id, secret) })
        .where(eq(webhookEndpoints.id, id))
    return rows.length
  })
}

function placeOf(endpointId: string): string {
  return `webhook:${endpointId}`
}
