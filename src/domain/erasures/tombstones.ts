import { createHmac } from 'node:crypto'
import { and, eq, inArray, isNotNull, lt, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { erasedIdentities } from '../../../db/schema/index.ts'
import { jobs } from '../../jobs/registry.ts'
import { AppError, PERSON_ERASED } from '../../lib/errors.ts'
import { sha256Hex } from '../../lib/ids.ts'
import { type BusinessContext, type DomainContext, within } from '../context.ts'
import { deleteLeftovers, type Ref } from './deletions.ts'

export type Identity = { kind: (typeof erasedIdentities.$inferSelect)['kind']; value: string }

/** Longer than any job is retried and any call lasts; then the fingerprints go too. */
const KEPT_MS = 30 * 86_400_000
const BATCH = 1_000

/** What belonged to an erased person is not written. A job that ends by this is done, and removed with what it carries. */
export function personErased(): AppError {
  return new AppError('gone', PERSON_ERASED, 'This belonged to a person whose data was erased; it is not kept.')
}

/** Remembers who was erased, in the erasure's transaction. Writers check under its locks: identities; none for a call. */
export async function writeTombstones(tx: Executor, ctx: BusinessContext, identities: Identity[], at: Date) {
  for (let from = 0; from < identities.length; from += BATCH)
    await tx
      .insert(erasedIdentities)
      .values(
        identities.slice(from, from + BATCH).map((identity) => ({
          kind: identity.kind,
          fingerprint: fingerprintOf(ctx, identity),
          businessId: ctx.businessId,
          erasedAt: at,
          mention: identity.value,
        })),
      )
      .onConflictDoUpdate({
        target: [erasedIdentities.kind, erasedIdentities.fingerprint, erasedIdentities.businessId],
        set: {
          erasedAt: sql`greatest(${erasedIdentities.erasedAt}, excluded.erased_at)`,
          mention: sql`excluded.mention`,
        },
      })
}

/** Whether one of these was erased after `happenedAt`; without it, at any time. */
export function isErasedSql(
  ctx: Pick<BusinessContext, 'businessId' | 'identityKey'>,
  identities: Identity[],
  happenedAt?: Date,
): SQL {
  if (identities.length === 0) return sql`false`
  const those = identities.map(
    (identity) => sql`(erased.kind = ${identity.kind} and erased.fingerprint in ${fingerprintsOf(ctx, identity)})`,
  )
  return sql`exists (select from ${erasedIdentities} as erased
    where (${sql.join(those, sql` or `)}) and erased.business_id = ${ctx.businessId}${
      happenedAt ? sql` and erased.erased_at >= ${happenedAt.toISOString()}::timestamptz` : sql``
    })`
}

/** @throws AppError `person_erased` when what happened to these was before they were erased */
export async function refuseErased(
  tx: Executor,
  ctx: BusinessContext,
  identities: Identity[],
  happenedAt?: Date,
): Promise<void> {
  const [row] = await tx.execute<{ erased: boolean }>(sql`select ${isErasedSql(ctx, identities, happenedAt)} as erased`)
  if (row?.erased) throw personErased()
}

/** For an event of a call that has no row. @throws AppError `person_erased` when it had one, and was erased with its caller */
export async function refuseErasedCall(tx: Executor, callSid: string): Promise<void> {
  const call: Identity = { kind: 'call', value: callSid }
  const [found] = await tx
    .select({ at: erasedIdentities.erasedAt })
    .from(erasedIdentities)
    .where(and(eq(erasedIdentities.kind, call.kind), eq(erasedIdentities.fingerprint, plainFingerprint(call))))
    .limit(1)
  if (found) throw personErased()
}

/** Forgets fingerprints that nothing can be late for any more. @returns how many */
export async function pruneTombstones(ctx: DomainContext): Promise<number> {
  const gone = await ctx.db
    .delete(erasedIdentities)
    .where(lt(erasedIdentities.erasedAt, new Date(Date.now() - KEPT_MS)))
    .returning({ kind: erasedIdentities.kind })
  return gone.length
}

/** Removes finished and failed jobs of a business that mention one of these; `before` sees them before they go. */
export type ForgetJobs = (
  businessId: string,
  mentions: string[],
  before: (jobs: { name: string; data: unknown }[]) => Promise<void>,
) => Promise<unknown>

/** Removes finished jobs that name erased people, with their files, then the names. @returns how many names */
export async function forgetMentions(ctx: DomainContext, forget: ForgetJobs, businessId?: string): Promise<number> {
  const rows = await ctx.db
    .select({ businessId: erasedIdentities.businessId, mention: erasedIdentities.mention })
    .from(erasedIdentities)
    .where(
      and(isNotNull(erasedIdentities.mention), businessId ? eq(erasedIdentities.businessId, businessId) : undefined),
    )
    .limit(20 * BATCH)
  const byBusiness = Map.groupBy(rows, (row) => row.businessId)
  for (const [business, theirs] of byBusiness) {
    const mentions = theirs.flatMap((row) => row.mention ?? [])
    await forget(business, mentions, (jobs) => deleteLeftovers(within(ctx, business), jobs.flatMap(filesOfJob)))
    for (let from = 0; from < mentions.length; from += BATCH)
      await ctx.db
        .update(erasedIdentities)
        .set({ mention: null })
        .where(
          and(
            eq(erasedIdentities.businessId, business),
            inArray(erasedIdentities.mention, mentions.slice(from, from + BATCH)),
          ),
        )
  }
  return rows.length
}

/** What a job that was given up has outside the database: its row was never written. */
function filesOfJob({ name, data }: { name: string; data: unknown }): Ref[] {
  if (name === 'call.turn') {
    const turn = jobs['call.turn'].payload.safeParse(data)
    return turn.success && turn.data.audioKey ? [{ kind: 'file', ref: turn.data.audioKey }] : []
  }
  // A bundle of turns is never given up: each of its turns becomes a job of its own.
  const fetch = name === 'recording.fetch' ? jobs[name].payload.safeParse(data) : null
  return fetch?.success ? [{ kind: 'carrier_recording', ref: fetch.data.recordingSid }] : []
}

type Keyed = Pick<BusinessContext, 'identityKey'>

/** Ids of calls and contacts are random; what people are known by is not, and is keyed. */
function fingerprintOf({ identityKey }: Keyed, identity: Identity): string {
  if (!identityKey || identity.kind === 'call' || identity.kind === 'contact') return plainFingerprint(identity)
  return createHmac('sha256', identityKey).update(`${identity.kind}:${identity.value}`).digest('hex')
}

/** The fingerprint, and the one without a key that earlier versions wrote: those are kept for 30 days. */
function fingerprintsOf(ctx: Keyed, identity: Identity): string[] {
  return [...new Set([fingerprintOf(ctx, identity), plainFingerprint(identity)])]
}

function plainFingerprint({ kind, value }: Identity): string {
  return sha256Hex(`${kind}:${value}`)
}
