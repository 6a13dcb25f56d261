import { eq, gt, lt, sql } from 'drizzle-orm'
import { heartbeats } from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'

export type ProcessKind = (typeof heartbeats.$inferSelect)['kind']

const ALIVE_SECONDS = 15

/** Says that this process is alive; called every 5 s. The database's clock is the only one that counts. */
export async function beat(
  ctx: DomainContext,
  process: { kind: ProcessKind; host: string; pid: number; version: string },
): Promise<void> {
  await ctx.db
    .insert(heartbeats)
    .values({ id: processId(process), ...process })
    .onConflictDoUpdate({ target: heartbeats.id, set: { seenAt: sql`now()`, version: process.version } })
  await ctx.db.delete(heartbeats).where(lt(heartbeats.seenAt, sql`now() - interval '1 hour'`))
}

export async function leave(ctx: DomainContext, process: { kind: ProcessKind; host: string; pid: number }) {
  await ctx.db.delete(heartbeats).where(eq(heartbeats.id, processId(process)))
}

export async function processesAlive(ctx: DomainContext): Promise<Record<ProcessKind, number>> {
  const rows = await ctx.db
    .select({ kind: heartbeats.kind, count: sql<number>`count(*)::int` })
    .from(heartbeats)
    .where(gt(heartbeats.seenAt, sql`now() - make_interval(secs => ${ALIVE_SECONDS})`))
    .groupBy(heartbeats.kind)
  const alive: Record<ProcessKind, number> = { web: 0, whatsapp: 0, crm: 0, recordings: 0 }
  for (const row of rows) alive[row.kind] = row.count
  return alive
}

export function processId(process: { kind: string; host: string; pid: number }): string {
  return `${process.kind}:${process.host}:${process.pid}`
}
