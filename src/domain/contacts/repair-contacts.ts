import { and, asc, eq, gt, inArray, isNotNull, isNull, lt, ne, or, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { auditLog, businesses, calls, contactRepairs, contacts, messages } from '../../../db/schema/index.ts'
import { canonicalPhone, dialledToday, formerReading, networkPhone, withheldNumbers } from '../../lib/phone.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { mergeInto, tablesOfContacts } from './merge-contacts.ts'
import { lockContactWhole } from './queries.ts'
import { lockIdentities } from './resolve-contact.ts'

export const repairReport = z.object({
  checked: z.number(),
  merged: z.number(),
  /** Numbers that are kept in the spelling of today. */
  respelled: z.number(),
  detachedCalls: z.number(),
  /** Contacts whose number was none: it is gone, the contact stays. */
  numbersDropped: z.number(),
  /** Contacts that consisted of nothing but such a number. */
  removed: z.number(),
})
export type RepairReport = z.infer<typeof repairReport>

const PAGE = 500
/** A second run takes up what a process of the version before wrote after the first. */
const RUNS = 2
const BETWEEN_RUNS_MS = 10 * 60_000
const ACTION = 'contacts.repair'

/**
 * Merges contacts whose numbers differ in spelling only; removes numbers of withheld callers and SIP addresses. Repeatable.
 */
export async function repairContacts(ctx: BusinessContext): Promise<RepairReport> {
  const report: RepairReport = { checked: 0, merged: 0, respelled: 0, detachedCalls: 0, numbersDropped: 0, removed: 0 }
  await detachCalls(ctx, report)
  for (let after: string | null = null; ; ) {
    const rows: { id: string; phone: string | null }[] = await ctx.db
      .select({ id: contacts.id, phone: contacts.phone })
      .from(contacts)
      .where(
        and(
          eq(contacts.businessId, ctx.businessId),
          isNotNull(contacts.phone),
          after === null ? undefined : gt(contacts.id, after),
        ),
      )
      .orderBy(asc(contacts.id))
      .limit(PAGE)
    for (const { id, phone } of rows) {
      report.checked += 1
      if (!phone) continue
      if (networkPhone(phone) === null) await dropNumber(ctx, id, phone, report)
      else if (canonicalPhone(phone) !== phone || dialledToday(phone) !== phone) await respell(ctx, id, phone, report)
    }
    const last = rows.at(-1)
    if (!last || rows.length < PAGE) break
    after = last.id
  }
  await audit(ctx.db, ctx, { action: ACTION, entity: 'business', entityId: ctx.businessId, data: report })
  ctx.log.info({ businessId: ctx.businessId, ...report }, 'contacts repaired')
  return report
}

/** Repairs the contacts of each business that was not repaired yet. @returns how many businesses */
export async function repairAllContacts(ctx: DomainContext): Promise<number> {
  const due = await ctx.db
    .select({ id: businesses.id })
    .from(businesses)
    .leftJoin(contactRepairs, eq(contactRepairs.businessId, businesses.id))
    .where(
      or(
        isNull(contactRepairs.businessId),
        and(lt(contactRepairs.runs, RUNS), lt(contactRepairs.lastRunAt, new Date(Date.now() - BETWEEN_RUNS_MS))),
      ),
    )
  for (const { id } of due) {
    await repairContacts(within(ctx, id))
    await ctx.db
      .insert(contactRepairs)
      .values({ businessId: id, runs: 1 })
      .onConflictDoUpdate({
        target: contactRepairs.businessId,
        set: { runs: sql`${contactRepairs.runs} + 1`, lastRunAt: sql`now()` },
      })
  }
  return due.length
}

/** A contact whose number has another spelling of today, or a twin under that spelling. */
async function respell(ctx: BusinessContext, id: string, phone: string, report: RepairReport): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockIdentities(tx, ctx, [{ kind: 'phone', value: phone }])
    const [twin] = await tx
      .select({ id: contacts.id })
      .from(contacts)
      .where(
        and(eq(contacts.businessId, ctx.businessId), eq(contacts.phone, canonicalPhone(phone)), ne(contacts.id, id)),
      )
    if (twin) {
      for (const one of [twin.id, id].sort()) await lockContactWhole(tx, ctx, one)
      await mergeInto(tx, ctx, twin.id, id)
      report.merged += 1
      return
    }
    const today = dialledToday(phone)
    if (today === phone) return
    const mine = and(eq(contacts.id, id), eq(contacts.businessId, ctx.businessId), eq(contacts.phone, phone))
    const changed = await tx.update(contacts).set({ phone: today }).where(mine).returning({ id: contacts.id })
    if (changed.length === 0) return
    await audit(tx, ctx, { action: 'contact.update', entity: 'contact', entityId: id, data: { fields: ['phone'] } })
    report.respelled += 1
  })
}

async function detachCalls(ctx: BusinessContext, report: RepairReport): Promise<void> {
  const sources = await ctx.db
    .selectDistinct({ from: calls.fromNumber, contactId: contacts.id, phone: contacts.phone })
    .from(calls)
    .innerJoin(contacts, eq(contacts.id, calls.contactId))
    .where(
      and(
        eq(calls.businessId, ctx.businessId),
        or(ne(calls.fromNumber, contacts.phone), inArray(calls.fromNumber, withheldNumbers())),
      ),
    )
  for (const { from, contactId, phone } of sources) {
    if (!phone || networkPhone(from) !== null || formerReading(from) !== phone) continue
    const first = await detachFrom(ctx, contactId, from, report)
    if (first && !(await isVouchedFor(ctx.db, ctx, contactId, phone, first)))
      await dropNumber(ctx, contactId, phone, report)
  }
}

/** @returns when the first of them began; null when there was none any more */
async function detachFrom(
  ctx: BusinessContext,
  contactId: string,
  from: string,
  report: RepairReport,
): Promise<Date | null> {
  return await ctx.db.transaction(async (tx) => {
    await lockContactWhole(tx, ctx, contactId)
    const detached = await tx
      .update(calls)
      .set({ contactId: null, conversationId: null })
      .where(and(eq(calls.businessId, ctx.businessId), eq(calls.contactId, contactId), eq(calls.fromNumber, from)))
      .returning({ startedAt: calls.startedAt })
    if (detached.length === 0) return null
    report.detachedCalls += detached.length
    const data = { calls: detached.length }
    await audit(tx, ctx, { action: 'contact.detach_calls', entity: 'contact', entityId: contactId, data })
    return new Date(Math.min(...detached.map((row) => row.startedAt.getTime())))
  })
}

/** Whether anything but such calls says that the number is this person's: that it was there before, a message, a real call. */
async function isVouchedFor(
  db: Executor,
  ctx: BusinessContext,
  contactId: string,
  phone: string,
  firstCall: Date,
): Promise<boolean> {
  if (networkPhone(phone) === null) return false
  const before = new Date(firstCall.getTime() - 60_000).toISOString()
  const [row] = await db.execute<{ vouched: boolean }>(sql`
    select exists (select from ${contacts} where id = ${contactId} and created_at < ${before}::timestamptz)
      or exists (select from ${messages} where business_id = ${ctx.businessId} and contact_id = ${contactId}
        and direction = 'in')
      or exists (select from ${calls} where business_id = ${ctx.businessId} and contact_id = ${contactId}
        and from_number = ${phone})
      or exists (select from ${auditLog} where business_id = ${ctx.businessId} and entity = 'contact'
        and entity_id = ${contactId} and action in ('contact.create', 'contact.update')
        and actor_kind in ('user', 'api_key')) as vouched`)
  return row?.vouched === true
}

async function dropNumber(ctx: BusinessContext, id: string, phone: string, report: RepairReport): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const contact = await lockContactWhole(tx, ctx, id).catch(() => null)
    if (contact?.phone !== phone) return
    await tx
      .update(contacts)
      .set({ phone: null })
      .where(and(eq(contacts.id, id), eq(contacts.businessId, ctx.businessId)))
    const data = { fields: ['phone'], reason: 'no_number' }
    await audit(tx, ctx, { action: 'contact.update', entity: 'contact', entityId: id, data })
    report.numbersDropped += 1
    if (contact.email !== null || (await hasAnything(tx, id))) return
    await tx.delete(contacts).where(and(eq(contacts.id, id), eq(contacts.businessId, ctx.businessId)))
    await audit(tx, ctx, { action: 'contact.remove', entity: 'contact', entityId: id, data: { reason: 'no_number' } })
    report.removed += 1
  })
}

/** Whether any row belongs to a contact, apart from the conversation that its calls opened. */
async function hasAnything(tx: Executor, contactId: string): Promise<boolean> {
  for (const { table, column } of await tablesOfContacts(tx)) {
    if (table === 'conversations') continue
    const [found] = await tx.execute(
      sql`select 1 from ${sql.identifier(table)} where ${sql.identifier(column)} = ${contactId} limit 1`,
    )
    if (found) return true
  }
  return false
}
