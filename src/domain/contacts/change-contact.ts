import { and, eq, inArray } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { contacts, contactTags, messages } from '../../../db/schema/index.ts'
import { CONTACT_NAME_MAX } from '../../lib/contact-name.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { parsePhone } from '../../lib/phone.ts'
import { nameText } from '../../lib/text.ts'
import { audit, type BusinessContext, emit } from '../context.ts'
import { lock } from '../locks.ts'
import { type ContactView, customFields, getContact, lockContact, tag } from './queries.ts'
import { findContactByPhone, lockIdentities } from './resolve-contact.ts'

const name = nameText(CONTACT_NAME_MAX)

export const newContact = z.object({
  /** Chosen by the client, so that a repeated request makes one contact. */
  id: z.uuid().optional(),
  phone: z.string().max(64).nullish(),
  name: name.nullish(),
  email: z.email().max(254).nullish(),
  tags: z.array(tag).max(50).optional(),
  custom: customFields.optional(),
})

export const contactChanges = z.object({
  phone: z.string().max(64).nullish(),
  name: name.nullish(),
  email: z.email().max(254).nullish(),
  /** Fields that are given are set, `null` removes one; the others stay. */
  custom: customFields.optional(),
})

/** @throws AppError `invalid_number` */
export function phoneOf(text: string | null | undefined): string | null {
  if (!text) return null
  const phone = parsePhone(text)
  if (!phone)
    throw new AppError('invalid', 'invalid_number', 'This is no phone number; write it as +972… or 05x-….', {
      field: 'phone',
    })
  return phone
}

/** Makes a contact; asked again with the same id, it answers the first one. @throws AppError `invalid_number`, `phone_taken` */
export async function createContact(ctx: BusinessContext, input: z.input<typeof newContact>): Promise<ContactView> {
  const fields = newContact.parse(input)
  const phone = phoneOf(fields.phone)
  const id = fields.id ?? newId()
  await ctx.db.transaction(async (tx) => {
    if (phone) await lockIdentities(tx, ctx, [{ kind: 'phone', value: phone }])
    // Requests with the same id wait for each other, so that the later one finds the contact.
    if (fields.id) await lock(tx, `contact:${id}`)
    const [earlier] = await tx.select({ businessId: contacts.businessId }).from(contacts).where(eq(contacts.id, id))
    if (earlier?.businessId === ctx.businessId) return
    if (earlier) throw new AppError('conflict', 'id_taken', 'This id is taken; choose another.', { field: 'id' })
    if (phone) await refuseTaken(tx, ctx, phone, id)
    await tx.insert(contacts).values({
      id,
      businessId: ctx.businessId,
      phone,
      name: fields.name ?? null,
      email: fields.email ?? null,
      custom: fields.custom ?? {},
    })
    await writeTags(tx, ctx, id, fields.tags ?? [], [])
    await audit(tx, ctx, { action: 'contact.create', entity: 'contact', entityId: id })
  })
  return await getContact(ctx, id)
}

/** @throws AppError `contact_not_found`, `invalid_number`, `phone_taken` */
export async function updateContact(
  ctx: BusinessContext,
  id: string,
  input: z.input<typeof contactChanges>,
): Promise<ContactView> {
  const changes = contactChanges.parse(input)
  const phone = changes.phone === undefined ? undefined : phoneOf(changes.phone)
  await ctx.db.transaction(async (tx) => {
    if (phone) await lockIdentities(tx, ctx, [{ kind: 'phone', value: phone }])
    const contact = await lockContact(tx, ctx, id)
    if (Object.keys(changes).length === 0) return
    if (phone && phone !== contact.phone) await refuseTaken(tx, ctx, phone, id)
    const custom = Object.fromEntries(
      Object.entries({ ...contact.custom, ...changes.custom }).filter(([, value]) => value !== null),
    )
    await tx
      .update(contacts)
      .set({
        ...(phone === undefined ? {} : { phone }),
        ...(changes.name === undefined ? {} : { name: changes.name }),
        ...(changes.email === undefined ? {} : { email: changes.email }),
        ...(changes.custom === undefined ? {} : { custom }),
      })
      .where(and(eq(contacts.id, id), eq(contacts.businessId, ctx.businessId)))
    await audit(tx, ctx, {
      action: 'contact.update',
      entity: 'contact',
      entityId: id,
      data: { fields: Object.keys(changes) },
    })
  })
  return await getContact(ctx, id)
}

/** @throws AppError `contact_not_found` */
export async function tagContact(
  ctx: BusinessContext,
  id: string,
  change: { add?: string[]; remove?: string[] },
): Promise<ContactView> {
  await ctx.db.transaction(async (tx) => {
    await lockContact(tx, ctx, id)
    const changed = await writeTags(tx, ctx, id, change.add ?? [], change.remove ?? [])
    if (changed) await audit(tx, ctx, { action: 'contact.tag', entity: 'contact', entityId: id, data: { ...change } })
  })
  return await getContact(ctx, id)
}

/** From now on no message leaves to this person, or may leave again. @throws AppError `contact_not_found` */
export async function setOptOut(ctx: BusinessContext, id: string, optedOut: boolean): Promise<ContactView> {
  await ctx.db.transaction(async (tx) => {
    await writeOptOut(tx, ctx, id, optedOut)
  })
  return await getContact(ctx, id)
}

/** Writes the opt-out with its audit and gives up queued messages. @returns whether it changed */
export async function writeOptOut(
  tx: Executor,
  ctx: BusinessContext,
  id: string,
  optedOut: boolean,
  data?: Record<string, unknown>,
): Promise<boolean> {
  const contact = await lockContact(tx, ctx, id)
  if ((contact.optedOutAt !== null) === optedOut) return false
  await tx
    .update(contacts)
    .set({ optedOutAt: optedOut ? new Date() : null })
    .where(and(eq(contacts.id, id), eq(contacts.businessId, ctx.businessId)))
  await audit(tx, ctx, {
    action: optedOut ? 'contact.opt_out' : 'contact.opt_in',
    entity: 'contact',
    entityId: id,
    ...(data ? { data } : {}),
  })
  if (optedOut) await dropQueued(tx, ctx, id)
  return true
}

async function dropQueued(tx: Executor, ctx: BusinessContext, contactId: string): Promise<void> {
  const dropped = await tx
    .update(messages)
    .set({
      status: 'failed',
      failedAt: new Date(),
      errorCode: 'contact_opted_out',
      errorMessage: 'This person asked not to be written to before it was sent.',
    })
    .where(
      and(
        eq(messages.businessId, ctx.businessId),
        eq(messages.contactId, contactId),
        eq(messages.direction, 'out'),
        eq(messages.status, 'queued'),
      ),
    )
    .returning({ id: messages.id })
  for (const { id } of dropped)
    await emit(tx, ctx, { action: 'message.status', entity: 'message', entityId: id, data: { status: 'failed' } })
}

export async function writeTags(
  tx: Executor,
  ctx: BusinessContext,
  contactId: string,
  add: string[],
  remove: string[],
): Promise<boolean> {
  const added = add.length
    ? await tx
        .insert(contactTags)
        .values([...new Set(add)].map((value) => ({ businessId: ctx.businessId, contactId, tag: value })))
        .onConflictDoNothing()
        .returning({ tag: contactTags.tag })
    : []
  const removed = remove.length
    ? await tx
        .delete(contactTags)
        .where(
          and(
            eq(contactTags.businessId, ctx.businessId),
            eq(contactTags.contactId, contactId),
            inArray(contactTags.tag, remove),
          ),
        )
        .returning({ tag: contactTags.tag })
    : []
  return added.length + removed.length > 0
}

async function refuseTaken(tx: Executor, ctx: BusinessContext, phone: string, id: string) {
  const taken = await findContactByPhone(tx, ctx, phone)
  if (taken && taken !== id)
    throw new AppError('conflict', 'phone_taken', 'Another contact has this number; merge the two instead.', {
      field: 'phone',
    })
}
