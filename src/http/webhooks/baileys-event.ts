import { z } from 'zod'
import { networkPhone } from '../../lib/phone.ts'

/** A message as the Baileys bridge tells it, read from either of its two forms. */
export type BaileysEvent = {
  accountId: string | null
  businessId: string | null
  to: string | null
  id: string
  chat: string
  /** Written on the business's own phone: not an inbound message. */
  fromMe: boolean
  phone: string | null
  lid: string | null
  name: string | null
  kind: string
  text: string
  replyTo: string | null
  media: { url: string; contentType: string }[]
  /** ISO 8601 */
  at: string
}

const address = {
  accountId: z.uuid().optional(),
  businessId: z.uuid().optional(),
  to: z.string().max(128).optional(),
}

/** The last moment that a date can be (ECMA-262, 21.4.1.1). */
const LATEST_MS = 8.64e15

/** Seconds or milliseconds since 1970, or ISO 8601. */
const moment = z
  .union([z.coerce.number().positive().max(LATEST_MS), z.iso.datetime({ offset: true })])
  .transform((value) => {
    if (typeof value === 'string') return new Date(value).toISOString()
    return new Date(value < 1e11 ? value * 1000 : value).toISOString()
  })

const plain = z
  .object({
    ...address,
    id: z.string().min(1).max(256).optional(),
    messageId: z.string().min(1).max(256).optional(),
    from: z.string().min(3).max(128),
    lid: z.string().max(128).nullish(),
    name: z.string().max(256).nullish(),
    pushName: z.string().max(256).nullish(),
    kind: z.string().max(32).optional(),
    text: z.string().max(65_536).optional(),
    body: z.string().max(65_536).optional(),
    replyTo: z.string().max(256).nullish(),
    media: z
      .array(z.object({ url: z.url(), contentType: z.string().max(128) }))
      .max(20)
      .default([]),
    timestamp: moment.optional(),
  })
  .refine((event) => event.id ?? event.messageId, { path: ['id'], error: 'the message needs its id' })
  .transform(
    (event): BaileysEvent => ({
      ...sender(event.from, event.lid ?? null),
      accountId: event.accountId ?? null,
      businessId: event.businessId ?? null,
      to: event.to ?? null,
      id: event.id ?? event.messageId ?? '',
      chat: event.from,
      fromMe: false,
      name: event.name ?? event.pushName ?? null,
      kind: event.kind ?? (event.media.length > 0 ? 'media' : 'text'),
      text: event.text ?? event.body ?? '',
      replyTo: event.replyTo ?? null,
      media: event.media,
      at: event.timestamp ?? new Date().toISOString(),
    }),
  )

/** Baileys' own WAMessage, as far as a text needs it. */
const raw = z
  .object({
    ...address,
    key: z.object({
      id: z.string().min(1).max(256),
      remoteJid: z.string().min(3).max(128),
      remoteJidAlt: z.string().max(128).nullish(),
      fromMe: z.boolean().nullish(),
    }),
    message: z
      .looseObject({
        conversation: z.string().max(65_536).nullish(),
        extendedTextMessage: z.looseObject({ text: z.string().max(65_536).nullish() }).nullish(),
        imageMessage: z.looseObject({ caption: z.string().max(65_536).nullish() }).nullish(),
      })
      .nullish(),
    pushName: z.string().max(256).nullish(),
    messageTimestamp: moment.optional(),
  })
  .transform((event): BaileysEvent => {
    const body = event.message
    return {
      ...sender(event.key.remoteJid, event.key.remoteJidAlt ?? null),
      accountId: event.accountId ?? null,
      businessId: event.businessId ?? null,
      to: event.to ?? null,
      id: event.key.id,
      chat: event.key.remoteJid,
      fromMe: event.key.fromMe ?? false,
      name: event.pushName ?? null,
      kind: body?.imageMessage ? 'image' : 'text',
      text: body?.conversation ?? body?.extendedTextMessage?.text ?? body?.imageMessage?.caption ?? '',
      replyTo: null,
      media: [],
      at: event.messageTimestamp ?? new Date().toISOString(),
    }
  })

const one = z
  .union([raw, plain])
  .refine((event) => event.phone !== null || event.lid !== null, { path: ['from'], error: 'the sender is no number' })

/** One event, a list of them, or `{ messages: [...] }`. */
export const baileysEvents = z.union([
  z.array(one).min(1).max(100),
  z.object({ messages: z.array(one).min(1).max(100) }).transform((batch) => batch.messages),
  one.transform((event) => [event]),
])

/** Phone number and LID of a sender written as a number or as a JID; a LID is never taken for a number. */
function sender(from: string, other: string | null): { phone: string | null; lid: string | null } {
  const both = [from, other ?? '']
  const lid = both.find((value) => value.endsWith('@lid')) ?? null
  const phone = both.find((value) => value !== '' && !value.endsWith('@lid'))
  if (!phone) return { phone: null, lid }
  return { phone: networkPhone(phone), lid }
}
