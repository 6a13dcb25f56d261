import { and, eq, inArray, sql } from 'drizzle-orm'
import { whatsappKeys, whatsappLinks } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { type AuthStore, STALE_OWNER } from '../../providers/whatsapp/port.ts'
import type { DomainContext } from '../context.ts'
import { holds, type Lease } from './leases.ts'

/**
 * A linked account's credentials in Postgres, written under the latest lease. A share lock makes takeovers wait for writes.
 */
export function createAuthStore(ctx: DomainContext, lease: Lease): AuthStore {
  const mine = eq(whatsappKeys.accountId, lease.accountId)
  return {
    async readCreds() {
      const [row] = await ctx.db.select({ creds: whatsappLinks.creds }).from(whatsappLinks).where(holds(lease))
      if (!row) throw staleOwner()
      return row.creds
    },
    async readKeys(type, ids) {
      const rows = await ctx.db
        .select({ id: whatsappKeys.id, value: whatsappKeys.value })
        .from(whatsappKeys)
        .where(and(mine, eq(whatsappKeys.type, type), inArray(whatsappKeys.id, ids)))
      return new Map(rows.map(({ id, value }) => [id, value]))
    },
    async write({ creds, keys }) {
      // One statement, one round trip: a message that goes out or comes in waits for it.
      const puts = JSON.stringify(keys.filter(({ value }) => value !== null))
      const drops = JSON.stringify(keys.filter(({ value }) => value === null))
      const held =
        creds === undefined
          ? sql`select 1 from ${whatsappLinks} where ${holds(lease)} for share`
          : sql`update ${whatsappLinks} set creds = ${creds}, updated_at = now() where ${holds(lease)} returning 1`
      const rows = await ctx.db.execute(sql`
        with held as (${held}),
        put as (
          insert into ${whatsappKeys} (account_id, type, id, value)
          select ${lease.accountId}::uuid, put.type, put.id, put.value
          from jsonb_to_recordset(${puts}::text::jsonb) as put(type text, id text, value text)
          where exists (select from held)
          on conflict (account_id, type, id) do update set value = excluded.value),
        dropped as (
          delete from ${whatsappKeys} using jsonb_to_recordset(${drops}::text::jsonb) as gone(type text, id text)
          where ${mine} and ${whatsappKeys.type} = gone.type and ${whatsappKeys.id} = gone.id and exists (select from held))
        select 1 from held`)
      if (rows.length === 0) throw staleOwner()
    },
    async clear() {
      await ctx.db.transaction(async (tx) => {
        const [held] = await tx
          .update(whatsappLinks)
          .set({ creds: null })
          .where(holds(lease))
          .returning({ id: whatsappLinks.accountId })
        if (!held) throw staleOwner()
        await tx.delete(whatsappKeys).where(mine)
      })
    },
  }
}

function staleOwner(): AppError {
  return new AppError('conflict', STALE_OWNER, 'Another process owns this WhatsApp account now.')
}
