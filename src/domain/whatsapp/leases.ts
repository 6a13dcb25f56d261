import { and, eq, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { heartbeats, whatsappAccounts, whatsappCommands, whatsappLinks } from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'
import { lock } from '../locks.ts'
import { leave } from '../system/index.ts'

/** The right to hold an account's socket. It is worth what its epoch is worth: the highest one writes, others are refused. */
export type Lease = { accountId: string; businessId: string; owner: string; epoch: number }

export type LeaseTiming = {
  /** How long a lease lives unrenewed: after this another process takes the account. */
  leaseMs: number
  /** How long a free account waits for the process with the fewest before any takes it. */
  graceMs: number
}

const ALIVE_SECONDS = 15
/** Advisory lock under which processes share accounts out, so that two do not count at the same moment. */
const SHARING_LOCK = 4_120_502

/** Takes free accounts: this process's even share at once, more only after a while, since unheld is worse than uneven. */
export async function acquireLeases(ctx: DomainContext, owner: string, timing: LeaseTiming): Promise<Lease[]> {
  return await ctx.db.transaction(async (tx) => {
    await lock(tx, SHARING_LOCK)
    const { held, share } = await countShare(tx, owner)
    const free = (since: SQL) =>
      and(eq(whatsappLinks.wanted, true), lt(whatsappLinks.leaseExpiresAt, since), notMine(owner))
    const now = sql`now()`
    const longFree = sql`now() - make_interval(secs => ${timing.graceMs / 1_000})`
    const candidates = await tx
      .select({ accountId: whatsappLinks.accountId, long: sql<boolean>`${whatsappLinks.leaseExpiresAt} < ${longFree}` })
      .from(whatsappLinks)
      .where(free(now))
      .orderBy(whatsappLinks.leaseExpiresAt)
      .for('update', { skipLocked: true })
    let room = share - held
    const chosen = candidates.filter(({ long }) => {
      room -= 1
      return room >= 0 || long
    })
    if (chosen.length === 0) return []
    const ids = chosen.map(({ accountId }) => accountId)
    return await tx
      .update(whatsappLinks)
      .set({ owner, epoch: sql`${whatsappLinks.epoch} + 1`, leaseExpiresAt: expiry(timing.leaseMs) })
      .where(inArray(whatsappLinks.accountId, ids))
      .returning(leaseColumns)
      .then((rows) => rows.map((row) => ({ ...row, owner })))
  })
}

/** Keeps what this process holds. @returns the ids of the accounts it still holds */
export async function renewLeases(ctx: DomainContext, owner: string, timing: LeaseTiming): Promise<Set<string>> {
  const rows = await ctx.db
    .update(whatsappLinks)
    .set({ leaseExpiresAt: expiry(timing.leaseMs) })
    .where(eq(whatsappLinks.owner, owner))
    .returning({ accountId: whatsappLinks.accountId })
  return new Set(rows.map(({ accountId }) => accountId))
}

/** Gives accounts back, so that another process may take them at once. `wanted: false` when no process is to hold it. */
export async function releaseLease(ctx: DomainContext, lease: Lease, wanted = true): Promise<void> {
  await ctx.db
    .update(whatsappLinks)
    .set({ owner: null, leaseExpiresAt: sql`now()`, ...(wanted ? {} : { wanted: sql`${openCommandExists}` }) })
    .where(holds(lease))
}

const openCommandExists = sql`exists (select from ${whatsappCommands}
  where ${whatsappCommands.accountId} = ${whatsappLinks.accountId} and ${whatsappCommands.doneAt} is null)`

export async function isCurrent(ctx: DomainContext, lease: Lease): Promise<boolean> {
  const rows = await ctx.db.select({ id: whatsappLinks.accountId }).from(whatsappLinks).where(holds(lease))
  return rows.length > 0
}

export async function surplusOf(ctx: DomainContext, owner: string): Promise<number> {
  const { held, share } = await countShare(ctx.db, owner)
  return Math.max(0, held - share)
}

/** Frees the accounts of ended processes of this machine, as `goneProcess` names them, and removes their heartbeats. */
export async function releaseOrphans(
  ctx: DomainContext,
  goneProcess: (owner: string) => { host: string; pid: number } | null,
): Promise<number> {
  const owners = await ctx.db.selectDistinct({ owner: whatsappLinks.owner }).from(whatsappLinks)
  let freed = 0
  for (const { owner } of owners) {
    const gone = owner === null ? null : goneProcess(owner)
    if (!owner || !gone) continue
    const rows = await ctx.db
      .update(whatsappLinks)
      .set({ owner: null, leaseExpiresAt: sql`now()` })
      .where(eq(whatsappLinks.owner, owner))
      .returning({ id: whatsappLinks.accountId })
    freed += rows.length
    await leave(ctx, { kind: 'whatsapp', ...gone })
  }
  return freed
}

/** Accounts that came into being without a link get one: those of an earlier release, and those of the sandbox. */
export async function ensureLinks(ctx: DomainContext): Promise<void> {
  await ctx.db.execute(sql`
    insert into ${whatsappLinks} (account_id, business_id)
    select ${whatsappAccounts.id}, ${whatsappAccounts.businessId} from ${whatsappAccounts}
    where ${whatsappAccounts.provider} = 'baileys'
    on conflict do nothing`)
}

export function holds(lease: Lease): SQL | undefined {
  return and(
    eq(whatsappLinks.accountId, lease.accountId),
    eq(whatsappLinks.epoch, lease.epoch),
    eq(whatsappLinks.owner, lease.owner),
  )
}

const leaseColumns = {
  accountId: whatsappLinks.accountId,
  businessId: whatsappLinks.businessId,
  epoch: whatsappLinks.epoch,
}

const expiry = (leaseMs: number) => sql`now() + make_interval(secs => ${leaseMs / 1_000})`
const notMine = (owner: string) => or(isNull(whatsappLinks.owner), sql`${whatsappLinks.owner} <> ${owner}`)

async function countShare(
  db: Pick<DomainContext['db'], 'select'>,
  owner: string,
): Promise<{ held: number; share: number }> {
  const [accounts] = await db
    .select({
      all: sql<number>`count(*) filter (where ${whatsappLinks.wanted})::int`,
      held: sql<number>`count(*) filter (where ${whatsappLinks.owner} = ${owner})::int`,
    })
    .from(whatsappLinks)
  const [workers] = await db
    .select({ alive: sql<number>`count(*)::int` })
    .from(heartbeats)
    .where(
      and(eq(heartbeats.kind, 'whatsapp'), sql`${heartbeats.seenAt} > now() - make_interval(secs => ${ALIVE_SECONDS})`),
    )
  return { held: accounts?.held ?? 0, share: Math.ceil((accounts?.all ?? 0) / Math.max(1, workers?.alive ?? 1)) }
}
