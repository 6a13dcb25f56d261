import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { businesses, importKeys } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import {
  addNoteWithin,
  fillContact,
  identitiesOf,
  insertUnreachableContact,
  lockIdentities,
  resolveContact,
  writeOptOut,
  writeTags,
} from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { refuseErased } from '../erasures/index.ts'
import { dateLead, insertLead, newLead } from '../leads/index.ts'
import type { ImportKind } from './fields.ts'
import { type Earlier, type Fill, type Known, knownOf, loadExisting, type Outcome, planRow } from './plan-row.ts'
import type { ImportRow } from './read-row.ts'

export type RowToTake = {
  kind: ImportKind
  row: ImportRow
  key: string
  /** The row's stage as the business names it; null for the first one. */
  stage: string | null
  handedInAt: Date
}

/** Takes one row in. @throws AppError `person_erased`, `unknown_stage`, … */
export async function writeRow(tx: Executor, ctx: BusinessContext, input: RowToTake): Promise<Outcome> {
  const { kind, row, key } = input
  const identities = row.phones.flatMap((phone) => identitiesOf({ phone }))
  await lockIdentities(tx, ctx, identities)
  await refuseErased(tx, ctx, identities, input.handedInAt)
  // A contact with a number is known by it; everything else by the row that it was made of.
  const earlier = kind === 'leads' || !row.phone ? await claimKey(tx, ctx, key) : null
  const { known, contactId } = await findOrMakeContact(tx, ctx, input, earlier)
  const { outcome, fill } = planRow(kind, row, known, earlier)
  if (contactId) await fillKnown(tx, ctx, contactId, fill)
  if (kind === 'contacts') {
    if (contactId && !known && !row.phone) await nameKey(tx, ctx, key, { contactId })
    return outcome
  }
  if (earlier?.leadId) return outcome
  const leadId = newId()
  const lead = newLead.parse({
    name: row.name,
    inquiry: row.inquiry,
    valueAgorot: row.valueAgorot,
    source: 'import',
    ...(input.stage ? { stage: input.stage } : {}),
    ...(contactId ? { contactId } : {}),
  })
  await insertLead(tx, ctx, leadId, lead)
  if (row.date) await dateLead(tx, ctx, leadId, timeOf(ctx, row.date))
  await nameKey(tx, ctx, key, { leadId })
  return 'created'
}

/** @returns what was there before, and whom the row is about; a lead of which only a name is known has no contact */
async function findOrMakeContact(
  tx: Executor,
  ctx: BusinessContext,
  { kind, row }: RowToTake,
  earlier: Earlier | null,
): Promise<{ known: Known | null; contactId: string | null }> {
  const ids = earlier?.contactId ? [earlier.contactId] : []
  const { byPhone, byId } = await loadExisting(tx, ctx, [row], ids)
  const known = knownOf(row, byPhone) ?? (earlier?.contactId ? (byId.get(earlier.contactId) ?? null) : null)
  if (known) return { known, contactId: known.id }
  if (row.phone) {
    const contactId = await resolveContact(tx, ctx, { phone: row.phone, name: row.name })
    // The contact may have another spelling of the number.
    const found = (await loadExisting(tx, ctx, [row], [contactId])).byId.get(contactId)
    return { known: found && found.phone !== row.phone ? found : null, contactId }
  }
  if (kind === 'leads' && (!row.email || earlier)) return { known: null, contactId: null }
  const contactId = await insertUnreachableContact(tx, ctx, { name: row.name, email: row.email })
  return { known: null, contactId }
}

async function fillKnown(tx: Executor, ctx: BusinessContext, contactId: string, fill: Fill): Promise<void> {
  await fillContact(tx, ctx, contactId, fill)
  await writeTags(tx, ctx, contactId, fill.tags, [])
  if (fill.note) await addNoteWithin(tx, ctx, { contactId, body: fill.note })
  if (fill.optOut) await writeOptOut(tx, ctx, contactId, true, { by: 'import' })
}

/** When the lead came in, in the business's own time; a day alone is its noon. */
function timeOf(ctx: BusinessContext, date: string): SQL {
  const local = date.includes('T') ? date : `${date}T12:00`
  return local.endsWith('Z')
    ? sql`${local}::timestamptz`
    : sql`${local}::timestamp at time zone (select ${businesses.timezone} from ${businesses} where ${businesses.id} = ${ctx.businessId})`
}

/** Takes the key of a row, or answers what an earlier row was made into; waits for one that is just being taken. */
async function claimKey(tx: Executor, ctx: BusinessContext, key: string): Promise<Earlier | null> {
  const taken = await tx
    .insert(importKeys)
    .values({ businessId: ctx.businessId, key })
    .onConflictDoNothing()
    .returning({ key: importKeys.key })
  if (taken.length > 0) return null
  const [earlier] = await tx.select().from(importKeys).where(ofKey(ctx, key))
  return earlier ?? null
}

async function nameKey(
  tx: Executor,
  ctx: BusinessContext,
  key: string,
  made: { leadId: string } | { contactId: string },
): Promise<void> {
  await tx.update(importKeys).set(made).where(ofKey(ctx, key))
}

function ofKey(ctx: BusinessContext, key: string) {
  return and(eq(importKeys.businessId, ctx.businessId), eq(importKeys.key, key))
}
