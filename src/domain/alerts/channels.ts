import { randomBytes } from 'node:crypto'
import { and, asc, desc, eq } from 'drizzle-orm'
import { z } from 'zod'
import { alertChannels, type alertDeliveries } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import { waitAtMost } from '../../lib/wait-at-most.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'
import { signDelivery } from '../webhooks/index.ts'
import type { Composed } from './compose.ts'
import type { Incident } from './incidents.ts'
import { ALERT_KINDS, CHANNEL_WAYS, isAlertKind, KINDS } from './kinds.ts'
import { toText } from './layout.ts'
import { type Language, WORDS } from './texts.ts'

const MAX_CHANNELS = 20
/** Telegram: sendMessage, "1-4096 characters after entities parsing". */
const MAX_TELEGRAM = 4_000
const MAX_SLACK = 3_000
/** A member who removes a channel does not wait for Telegram longer. */
const LEAVE_MS = 3_000

const httpUrl = z.url({ protocol: /^https?$/, error: 'an http(s) URL' }).max(2_048)

/** Where a channel is. A program gets a secret to check the signature with, answered once. */
const target = z.discriminatedUnion('way', [
  z.object({ way: z.literal('slack'), url: httpUrl }),
  z.object({
    way: z.literal('telegram'),
    token: z.string().regex(/^\d{3,20}:[\w-]{20,100}$/, 'the token of a bot, such as 123456:ABC-…'),
    chatId: z.string().regex(/^(-?\d{1,20}|@\w{4,64})$/, 'the number of a chat, or @channel'),
    /** Buttons under alerts, by which they are taken: the webhook of the bot leads here then. */
    buttons: z.boolean().default(false),
  }),
  z.object({ way: z.literal('webhook'), url: httpUrl }),
])
const stored = z.union([
  z.object({ token: z.string(), chatId: z.string(), secret: z.string().optional() }),
  z.object({ url: z.string(), secret: z.string().optional() }),
])

const kinds = z.array(z.enum(ALERT_KINDS)).max(100).nullable()

export const newChannel = z.object({
  target,
  label: z.string().trim().min(1).max(100),
  language: z.enum(['he', 'en']),
  /** Null is every kind that is important or critical. */
  kinds: kinds.default(null),
})
export const channelChanges = z.object({
  label: z.string().trim().min(1).max(100).optional(),
  language: z.enum(['he', 'en']).optional(),
  kinds: kinds.optional(),
  enabled: z.boolean().optional(),
})
export const channelView = z.object({
  id: z.uuid(),
  way: z.enum(CHANNEL_WAYS),
  label: z.string(),
  language: z.enum(['he', 'en']),
  kinds: z.array(z.string()).nullable(),
  enabled: z.boolean(),
  createdAt: z.date(),
})

const view = {
  id: alertChannels.id,
  way: alertChannels.way,
  label: alertChannels.label,
  language: alertChannels.language,
  kinds: alertChannels.kinds,
  enabled: alertChannels.enabled,
  createdAt: alertChannels.createdAt,
}

export async function listChannels(ctx: BusinessContext) {
  return await ctx.db
    .select(view)
    .from(alertChannels)
    .where(eq(alertChannels.businessId, ctx.businessId))
    .orderBy(asc(alertChannels.id))
}

/**
 * Adds a channel; the secret that signs what a program gets is answered this once.
 * @throws AppError `too_many_channels`, `telegram_refused` when the bot does not take the webhook of its buttons
 */
export async function addChannel(
  ctx: BusinessContext,
  input: z.input<typeof newChannel>,
  { box, ...bot }: BotDeps & { box: SecretBox },
) {
  const { target: asked, ...settings } = newChannel.parse(input)
  const { way, ...address } = asked
  const id = newId()
  const secret =
    asked.way === 'webhook'
      ? `whsec_${randomBytes(32).toString('base64')}`
      : asked.way === 'telegram' && asked.buttons
        ? await setBotWebhook(id, asked.token, randomBytes(32).toString('hex'), bot)
        : null
  return await ctx.db.transaction(async (tx) => {
    await lock(tx, `alert-channels:${ctx.businessId}`)
    if ((await tx.$count(alertChannels, eq(alertChannels.businessId, ctx.businessId))) >= MAX_CHANNELS)
      throw new AppError('conflict', 'too_many_channels', 'There are too many channels. Remove one first.')
    const sealed = box.seal(JSON.stringify({ ...address, ...(secret ? { secret } : {}) }), placeOf(id))
    const [row] = await tx
      .insert(alertChannels)
      .values({ id, businessId: ctx.businessId, way, ...settings, sealed })
      .returning(view)
    if (!row) throw new Error('The channel was not written.')
    await audit(tx, ctx, { action: 'alert.add_channel', entity: 'alert_channel', entityId: id, data: { way } })
    return { ...row, secret: way === 'webhook' ? secret : null }
  })
}

/** With what a bot is set up: where its webhook leads, and the client that posts. */
type BotDeps = {
  post(url: string, body: string, headers: Record<string, string>): Promise<number>
  telegramApi: string
  links: { telegram(channelId: string): string }
}

/** Leads the presses of a bot's buttons here (Bot API: setWebhook). @returns the secret that Telegram names with each @throws AppError `telegram_refused` */
async function setBotWebhook(
  id: string,
  token: string,
  secret: string,
  { post, telegramApi, links }: BotDeps,
): Promise<string> {
  const body = { url: links.telegram(id), secret_token: secret, allowed_updates: ['callback_query'] }
  const json = { 'Content-Type': 'application/json' }
  const status = await post(`${telegramApi}/bot${token}/setWebhook`, JSON.stringify(body), json)
  if (status !== 200)
    throw new AppError('invalid', 'telegram_refused', `Telegram answered ${status}. Check the token of the bot.`, {
      field: 'token',
    })
  return secret
}

/** Where a channel is, with its secrets. */
export function openTarget(channel: Pick<typeof alertChannels.$inferSelect, 'id' | 'sealed'>, box: SecretBox) {
  return stored.parse(JSON.parse(box.open(channel.sealed, placeOf(channel.id))))
}

/** Settings that are not given stay. @throws AppError `channel_not_found` */
export async function changeChannel(ctx: BusinessContext, id: string, changes: z.output<typeof channelChanges>) {
  return await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .update(alertChannels)
      .set({ ...changes, updatedAt: new Date() })
      .where(thisOne(ctx, id))
      .returning(view)
    if (!row) throw noChannel()
    const data = { fields: Object.keys(changes) }
    await audit(tx, ctx, { action: 'alert.change_channel', entity: 'alert_channel', entityId: id, data })
    return row
  })
}

/** Removes a channel; the presses of its bot's buttons are no longer sent here. @throws AppError `channel_not_found` */
export async function removeChannel(
  ctx: BusinessContext,
  id: string,
  deps: BotDeps & { box: SecretBox },
): Promise<void> {
  const removed = await ctx.db.transaction(async (tx) => {
    const [gone] = await tx.delete(alertChannels).where(thisOne(ctx, id)).returning()
    if (!gone) throw noChannel()
    await audit(tx, ctx, { action: 'alert.remove_channel', entity: 'alert_channel', entityId: id })
    return gone
  })
  if (removed.way !== 'telegram') return
  const left = leaveBot(ctx, removed, deps).catch((error: unknown) =>
    ctx.log.warn({ channelId: id, error: errorMessage(error) }, 'the webhook of a removed Telegram channel stays set'),
  )
  await waitAtMost(left, LEAVE_MS)
}

/**
 * Takes the webhook from a bot whose channel was removed (Bot API: deleteWebhook). A bot has one: where another channel with
 * buttons is of the same bot, in whichever business, it gets it.
 */
async function leaveBot(
  ctx: BusinessContext,
  removed: typeof alertChannels.$inferSelect,
  { box, ...bot }: BotDeps & { box: SecretBox },
): Promise<void> {
  const target = openTarget(removed, box)
  if (!('token' in target) || !target.secret) return
  const others = await ctx.db
    .select()
    .from(alertChannels)
    .where(eq(alertChannels.way, 'telegram'))
    .orderBy(desc(alertChannels.id))
  for (const other of others) {
    const its = openTarget(other, box)
    if (!('token' in its) || its.token !== target.token || !its.secret) continue
    await setBotWebhook(other.id, its.token, its.secret, bot)
    return
  }
  const status = await bot.post(`${bot.telegramApi}/bot${target.token}/deleteWebhook`, '{}', {
    'Content-Type': 'application/json',
  })
  // A token that was withdrawn has no webhook.
  if (status !== 200 && status !== 401 && status !== 404) throw new Error(`Telegram answered ${status}.`)
}

/** @throws AppError `channel_not_found` */
export async function getChannel(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db.select(view).from(alertChannels).where(thisOne(ctx, id))
  if (!row) throw noChannel()
  return row
}

function thisOne(ctx: BusinessContext, id: string) {
  return and(eq(alertChannels.id, id), eq(alertChannels.businessId, ctx.businessId))
}

function noChannel(): AppError {
  return new AppError('not_found', 'channel_not_found', 'There is no such channel.')
}

function placeOf(id: string): string {
  return `alert channel ${id}`
}

type Post = {
  delivery: typeof alertDeliveries.$inferSelect
  incident: Incident | null
  composed: Composed
  language: Language
  link: string
}
type PostDeps = {
  post(url: string, body: string, headers: Record<string, string>): Promise<number>
  box: SecretBox
  telegramApi: string
  now(): Date
}

/**
 * Posts an alert to a channel, by the one client for addresses that users name.
 * @throws AppError `channel_refused` (unavailable) when it is worth trying again, `channel_gone` when not, and those of the client
 */
export async function postToChannel(
  channel: typeof alertChannels.$inferSelect,
  { delivery, incident, composed, language, link }: Post,
  deps: PostDeps,
): Promise<void> {
  const address = openTarget(channel, deps.box)
  const json = { 'Content-Type': 'application/json' }
  if ('token' in address) {
    const text = toText(language, composed, link, { max: MAX_TELEGRAM })
    const takes = address.secret && (delivery.purpose === 'alert' || delivery.purpose === 'escalation')
    const body = {
      ...{ chat_id: address.chatId, text, link_preview_options: { is_disabled: true } },
      ...(takes ? { reply_markup: { inline_keyboard: [buttonsOf(language, delivery.id)] } } : {}),
    }
    return accept(await deps.post(`${deps.telegramApi}/bot${address.token}/sendMessage`, JSON.stringify(body), json))
  }
  if (channel.way === 'slack') {
    const text = toText(language, composed, link, { max: MAX_SLACK })
    return accept(await deps.post(address.url, JSON.stringify({ text: escapeSlack(text) }), json))
  }
  const timestamp = Math.floor(deps.now().getTime() / 1_000)
  const id = `alert_${delivery.id}`
  const body = JSON.stringify({
    id,
    type: `alert.${delivery.purpose}`,
    businessId: delivery.businessId,
    incidentId: delivery.incidentId,
    kind: delivery.kind,
    level: isAlertKind(delivery.kind) ? KINDS[delivery.kind].level : 'normal',
    title: composed.title,
    lines: composed.lines,
    text: composed.words,
    phone: composed.phone,
    url: link,
    openedAt: incident?.openedAt ?? null,
    takenAt: incident?.takenAt ?? null,
  })
  accept(
    await deps.post(address.url, body, {
      ...json,
      'User-Agent': 'AgentLocator-Webhooks/1',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      ...(address.secret ? { 'webhook-signature': signDelivery(address.secret, id, timestamp, body) } : {}),
    }),
  )
}

/** Bot API, InlineKeyboardButton: `callback_data` is 1-64 bytes. */
function buttonsOf(language: Language, deliveryId: string) {
  const { take, callBackLater } = WORDS[language]
  return [
    { text: take, callback_data: `done:${deliveryId}` },
    { text: callBackLater, callback_data: `call_back:${deliveryId}` },
  ]
}

function accept(status: number): void {
  if (status >= 200 && status <= 299) return
  const answered = `The receiver answered ${status}.`
  // A wrong token, a chat that is gone, or a request that will never be taken.
  if (status >= 400 && status <= 499 && status !== 408 && status !== 425 && status !== 429)
    throw new AppError('invalid', 'channel_gone', answered)
  throw new AppError('unavailable', 'channel_refused', answered)
}

/** Slack: "Escaping text"; without it a customer's words could mention everybody (`<!channel>`). */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
