import { and, eq, inArray, or } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { contactIdentities, contacts, contactTags, importKeys, notes } from '../../../db/schema/index.ts'
import { canonicalPhone, phoneVariants } from '../../lib/phone.ts'
import type { BusinessContext } from '../context.ts'
import type { ImportKind } from './fields.ts'
import type { ImportRow } from './read-row.ts'

export type Outcome = 'created' | 'updated' | 'existing'

export type Known = {
  id: string | null
  phone: string | null
  name: string | null
  email: string | null
  custom: Record<string, unknown>
  optedOut: boolean
  tags: Set<string>
  notes: Set<string>
}

export type Earlier = { leadId: string | null; contactId: string | null }

export type Fill = {
  name: string | null
  email: string | null
  custom: Record<string, string>
  tags: string[]
  note: string | null
  optOut: boolean
}

export const NEW_CONTACT: Known = {
  id: null,
  phone: null,
  name: null,
  email: null,
  custom: {},
  optedOut: false,
  tags: new Set(),
  notes: new Set(),
}

/** Further numbers or addresses of one person that are kept. */
const MAX_PLACES = 10

/** Decides what a row does, for preview and run alike: only empty fields are filled. `known`: null for a new person. */
export function planRow(
  kind: ImportKind,
  row: ImportRow,
  known: Known | null,
  earlier: Earlier | null,
): { outcome: Outcome; fill: Fill } {
  const before = known ?? NEW_CONTACT
  const fill: Fill = {
    name: before.name === null ? row.name : null,
    email: before.email === null ? row.email : null,
    custom: planCustom(row, before),
    tags: row.tags.filter((tag) => !before.tags.has(tag)),
    note: row.note !== null && (kind === 'leads' ? !earlier : !before.notes.has(row.note)) ? row.note : null,
    optOut: row.optedOut && !before.optedOut,
  }
  const adds =
    fill.name !== null ||
    fill.email !== null ||
    fill.note !== null ||
    fill.optOut ||
    fill.tags.length > 0 ||
    Object.keys(fill.custom).length > 0
  const isThere = kind === 'leads' ? earlier !== null : known !== null
  return { outcome: isThere ? (adds && known ? 'updated' : 'existing') : 'created', fill }
}

const NUMBERED = /^(phone|email) \d+$/

/** The business's own fields that are empty yet; further numbers and addresses get the next free place beside those that are kept. */
function planCustom(row: ImportRow, before: Known): Record<string, string> {
  // A number in another spelling is the same number.
  const same = (value: unknown) => (typeof value === 'string' ? canonicalPhone(value) : value)
  const taken = new Set<unknown>(
    [before.phone ?? row.phone, before.email ?? row.email, ...Object.values(before.custom)].map(same),
  )
  const added: Record<string, string> = {}
  const add = (kind: string, value: string | null) => {
    if (value === null || taken.has(same(value))) return
    taken.add(same(value))
    let place = 2
    while (before.custom[`${kind} ${place}`] !== undefined || added[`${kind} ${place}`] !== undefined) place += 1
    if (place <= MAX_PLACES) added[`${kind} ${place}`] = value
  }
  add('phone', row.phone)
  add('email', row.email)
  for (const [name, value] of Object.entries(row.custom)) {
    const kind = NUMBERED.exec(name)?.[1]
    if (kind) add(kind, value)
    else if (before.custom[name] === undefined) added[name] = value
  }
  return added
}

export function knownAfter(known: Known | null, row: ImportRow, fill: Fill): Known {
  const before = known ?? NEW_CONTACT
  return {
    id: before.id,
    phone: before.phone ?? row.phone,
    name: before.name ?? fill.name,
    email: before.email ?? fill.email,
    custom: { ...fill.custom, ...before.custom },
    optedOut: before.optedOut || fill.optOut,
    tags: fill.tags.length > 0 ? before.tags.union(new Set(fill.tags)) : before.tags,
    notes: fill.note === null ? before.notes : before.notes.union(new Set([fill.note])),
  }
}

export async function loadEarlier(db: Executor, ctx: BusinessContext, keys: string[]): Promise<Map<string, Earlier>> {
  if (keys.length === 0) return new Map()
  const rows = await db
    .select()
    .from(importKeys)
    .where(and(eq(importKeys.businessId, ctx.businessId), inArray(importKeys.key, keys)))
  return new Map(rows.map(({ key, leadId, contactId }) => [key, { leadId, contactId }]))
}

/** The contacts with these numbers, in whichever spelling, or ids, with what rows may add to: the tags, and of the notes those that the rows bring. */
export async function loadExisting(
  db: Executor,
  ctx: BusinessContext,
  rows: ImportRow[],
  ids: string[],
): Promise<{ byPhone: Map<string, Known>; byId: Map<string, Known> }> {
  const phones = [...new Set(rows.flatMap((row) => row.phones.flatMap(phoneVariants)))]
  const further = await loadFurtherNumbers(db, ctx, phones)
  const found =
    phones.length + ids.length === 0
      ? []
      : await db
          .select()
          .from(contacts)
          .where(
            and(
              eq(contacts.businessId, ctx.businessId),
              or(
                ...(phones.length > 0 ? [inArray(contacts.phone, phones)] : []),
                ...(further.length > 0
                  ? [
                      inArray(
                        contacts.id,
                        further.map(({ contactId }) => contactId),
                      ),
                    ]
                  : []),
                ...(ids.length > 0 ? [inArray(contacts.id, ids)] : []),
              ),
            ),
          )
  const byId = new Map<string, Known>(
    found.map(({ id, phone, name, email, custom, optedOutAt }) => [
      id,
      { id, phone, name, email, custom, optedOut: optedOutAt !== null, tags: new Set(), notes: new Set() },
    ]),
  )
  await loadTagsAndNotes(db, ctx, rows, byId)
  const byPhone = new Map<string, Known>()
  for (const { contactId, value } of further) {
    const known = byId.get(contactId)
    if (known) byPhone.set(canonicalPhone(value), known)
  }
  for (const known of byId.values()) if (known.phone) byPhone.set(canonicalPhone(known.phone), known)
  return { byPhone, byId }
}

async function loadFurtherNumbers(db: Executor, ctx: BusinessContext, phones: string[]) {
  if (phones.length === 0) return []
  return await db
    .select({ contactId: contactIdentities.contactId, value: contactIdentities.value })
    .from(contactIdentities)
    .where(
      and(
        eq(contactIdentities.businessId, ctx.businessId),
        inArray(contactIdentities.kind, ['phone', 'whatsapp']),
        inArray(contactIdentities.value, phones),
      ),
    )
}

async function loadTagsAndNotes(db: Executor, ctx: BusinessContext, rows: ImportRow[], byId: Map<string, Known>) {
  const ids = [...byId.keys()]
  if (ids.length === 0) return
  if (rows.some((row) => row.tags.length > 0))
    for (const { contactId, tag } of await db
      .select({ contactId: contactTags.contactId, tag: contactTags.tag })
      .from(contactTags)
      .where(and(eq(contactTags.businessId, ctx.businessId), inArray(contactTags.contactId, ids))))
      byId.get(contactId)?.tags.add(tag)
  const bodies = [...new Set(rows.flatMap((row) => row.note ?? []))]
  if (bodies.length > 0)
    for (const { contactId, body } of await db
      .select({ contactId: notes.contactId, body: notes.body })
      .from(notes)
      .where(and(eq(notes.businessId, ctx.businessId), inArray(notes.contactId, ids), inArray(notes.body, bodies))))
      byId.get(contactId)?.notes.add(body)
}

export function knownOf(row: ImportRow, byPhone: ReadonlyMap<string, Known>): Known | null {
  for (const phone of row.phones) {
    const known = byPhone.get(canonicalPhone(phone))
    if (known) return known
  }
  return null
}
