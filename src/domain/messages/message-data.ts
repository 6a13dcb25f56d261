import { z } from 'zod'

const text = z.string()
const textOrNull = z.string().nullable()
const numberOrNull = z.number().nullable()

const person = z.object({ phone: textOrNull, lid: textOrNull, name: textOrNull })

/**
 * What a program reads of a message, by its kind (`location` has `latitude` and `longitude`, `choice` has `choice`, …).
 * Fields not listed here are internal and never shown.
 */
const content = z.object({
  /** `location`: decimal degrees. `live` is a place that moves. */
  latitude: z.number(),
  longitude: z.number(),
  name: textOrNull,
  address: textOrNull,
  url: textOrNull,
  live: z.boolean(),
  /** `contacts`: the cards that were sent, phone numbers as they are written there. */
  contacts: z.array(
    z.object({
      name: text,
      phones: z.array(text),
      emails: z.array(text).optional(),
      organization: textOrNull.optional(),
    }),
  ),
  choice: z.object({
    id: textOrNull,
    text,
    description: textOrNull.default(null),
    source: z.enum(['button', 'list', 'template', 'flow', 'other']),
    data: z.unknown().optional(),
  }),
  header: textOrNull,
  footer: textOrNull,
  choices: z.array(z.object({ id: textOrNull, text, description: textOrNull.optional(), url: textOrNull.optional() })),
  poll: z.object({ question: text, options: z.array(text), selectable: numberOrNull }),
  options: z.array(text),
  /** `order`: amounts in the currency's smallest unit. */
  order: z.object({
    orderId: textOrNull,
    items: z.array(z.object({ id: textOrNull, name: textOrNull, quantity: numberOrNull, amount: numberOrNull })),
    total: numberOrNull,
    currency: textOrNull,
  }),
  product: z.object({ id: textOrNull, amount: numberOrNull, currency: textOrNull, url: textOrNull }),
  event: z.object({
    name: text,
    description: textOrNull,
    startsAt: textOrNull,
    endsAt: textOrNull,
    place: textOrNull,
    cancelled: z.boolean().optional(),
  }),
  /** `unsupported`: the provider's name of what it is. */
  type: text,
  fileName: textOrNull,
  bytes: numberOrNull,
  seconds: numberOrNull,
  viewOnce: z.boolean(),
  gif: z.boolean(),
})

const surroundings = z.object({
  /** People mentioned, E.164 or LID. */
  mentions: z.array(text),
  author: person,
  /** The owner's broadcast list it was sent to, on the phone itself. */
  broadcastList: text,
  extra: z.record(z.string(), text),
  /** The provider that could not send it, and why. */
  fallbackFrom: text,
  fallbackWhy: textOrNull,
})

export const messageData = content.extend(surroundings.shape).partial()
export type MessageData = z.infer<typeof messageData>

export const messageReferral = z.object({
  sourceType: textOrNull,
  sourceId: textOrNull,
  url: textOrNull,
  headline: textOrNull,
  body: textOrNull,
  mediaUrl: textOrNull,
  clickId: textOrNull,
})

const apart = z
  .object({
    forwarded: z.boolean(),
    forwardScore: z.number(),
    referral: messageReferral,
    quoted: textOrNull,
  })
  .partial()
export type MessageExtras = z.infer<typeof apart>

/** A row's `data` as it may be shown: listed fields of the right shape, nothing else. */
export function readMessageData(stored: unknown): { data: MessageData; extras: MessageExtras } {
  return { data: readFields(messageData, stored), extras: readFields(apart, stored) }
}

/** Each field for itself: one of a wrong shape does not hide the others. */
function readFields<Shape extends z.ZodRawShape>(schema: z.ZodObject<Shape>, stored: unknown): z.infer<typeof schema> {
  const fields: Record<string, unknown> = {}
  for (const [name, value] of typeof stored === 'object' && stored !== null ? Object.entries(stored) : []) {
    const field: unknown = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined
    if (value === null || !(field instanceof z.ZodType)) continue
    const read = field.safeParse(value)
    if (read.success) fields[name] = read.data
  }
  return schema.parse(fields)
}
