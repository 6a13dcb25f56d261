import { and, eq, gt, inArray, isNotNull, lt, sql } from 'drizzle-orm'
import {
  alertChannels,
  alertDeliveries,
  alertIncidents,
  alertMembers,
  alertSettings,
  memberships,
  pushDevices,
  users,
} from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import type { Mailer } from '../../providers/mail/port.ts'
import type { Telephony } from '../../providers/telephony/port.ts'
import { getBusiness, listPhoneNumbers } from '../businesses/index.ts'
import { type BusinessContext, type DomainContext, within } from '../context.ts'
import { ALERT_KEY, hideForAlerts } from '../conversations/index.ts'
import { requestMessage, type SendSettings } from '../messages/index.ts'
import { forgetDevice, getPushSettings, type PushDeps, sendToDevice } from '../push/index.ts'
import type { PostOut } from '../webhooks/index.ts'
import { postToChannel } from './channels.ts'
import { type Composed, compose } from './compose.ts'
import { type Incident, isSettled } from './incidents.ts'
import { isAlertKind, MEMBER_WAYS, type MemberWay } from './kinds.ts'
import { toMail, toNotification, toText } from './layout.ts'
import { CLAIM_MS } from './notices.ts'
import { alertMembersOf, outlivesQuiet, phoneOf, type Reach, waysOf, whenFor, zoneOf } from './plan.ts'
import type { Language } from './texts.ts'

/** What members are notified with. */
export type AlertDeps = {
  push: PushDeps
  /** Null where no mail server is set. */
  mailer: Mailer | null
  /** Posts to the addresses of channels. */
  post: PostOut
  /** Seals the addresses of channels. */
  box: SecretBox
  /** The carrier account of a business. */
  carrierOf(businessId: string): Telephony | null
  settings: SendSettings
  links: AlertLinks
  telegramApi: string
  now(): Date
}

export type AlertLinks = {
  /** A place of the console; the incident in it is seen when a member opens it. */
  console(businessId: string, place: string, incidentId: string | null): string
  unsubscribe(businessId: string, userId: string): string
  call(businessId: string, deliveryId: string): string
  callEnded(businessId: string, deliveryId: string): string
  textStatus(businessId: string, deliveryId: string): string
  /** Where a bot of Telegram sends the presses of its buttons. */
  telegram(channelId: string): string
}

export function reachOf(deps: Pick<AlertDeps, 'mailer' | 'carrierOf'>): Reach {
  return { mail: deps.mailer !== null, carrier: (businessId) => deps.carrierOf(businessId) !== null }
}

/** Those of the job. */
const ATTEMPTS = 8
/** What may have been sent is sent once more, after this. */
const UNKNOWN_ATTEMPTS = 2
const UNKNOWN_MS = 60_000
/** What is not decided yet is looked at again after this. */
const LATER_MS = 5_000
/** A missed call may take minutes to become one. */
const MUCH_LATER_MS = 60_000
const UNKNOWN_CODES = new Set(['outcome_unknown', 'mail_unknown'])
const RING_SECONDS = 40
/** WhatsApp and SMS by Twilio take 1,600 characters; an SMS of more than a few parts is a bill. */
const MAX_WHATSAPP = 1_500
const MAX_SMS = 300

type Delivery = typeof alertDeliveries.$inferSelect
export type AlertOutcome = 'sent' | 'dropped' | 'failed' | 'unknown' | 'later' | 'gone' | 'summarized' | 'busy'
type Claim = { delivery: Delivery; incident: Incident | null; again: boolean }

/**
 * Sends one alert. That no one has taken it is read in the transaction that claims it. Sent, dropped or given up already, or
 * being sent by another run, it does nothing. What may have been sent is looked up, or sent once more, never oftener.
 * @throws AppError when it is worth trying again
 */
export async function sendAlert(ctx: BusinessContext, deliveryId: string, deps: AlertDeps): Promise<AlertOutcome> {
  const now = deps.now()
  const claim = await claimDelivery(ctx, deliveryId, now)
  if (typeof claim === 'string') return claim
  if ('leftBehind' in claim) {
    await forgetDevice(ctx, claim.leftBehind, 'no member any more')
    return 'gone'
  }
  const { delivery, incident } = claim
  const write = async (changes: Partial<typeof alertDeliveries.$inferInsert>) => {
    await ctx.db
      .update(alertDeliveries)
      .set(changes)
      .where(and(eq(alertDeliveries.id, deliveryId), eq(alertDeliveries.attempts, delivery.attempts)))
  }
  try {
    const sent = await send(ctx, claim, deps)
    if (sent === 'later') {
      const wait = incident?.kind === 'missed_call' ? MUCH_LATER_MS : LATER_MS
      const notBefore = new Date(now.getTime() + wait)
      await write({ state: 'pending', notBefore, queuedAt: null, claimedAt: null, attempts: delivery.attempts - 1 })
      return 'later'
    }
    if (sent === 'gone') return 'gone'
    if (sent === 'dropped') {
      await write({ state: 'dropped' })
      return 'dropped'
    }
    await write({ state: 'sent', error: null, sentAt: deps.now(), providerRef: sent.ref })
    return 'sent'
  } catch (error) {
    const why = errorMessage(error).slice(0, 300)
    if (error instanceof AppError && UNKNOWN_CODES.has(error.code)) {
      const over = delivery.attempts >= UNKNOWN_ATTEMPTS
      if (over) await write({ state: 'unknown', error: why, sentAt: now })
      else
        await write({ error: why, claimedAt: new Date(0), queuedAt: new Date(now.getTime() - CLAIM_MS + UNKNOWN_MS) })
      return over ? 'unknown' : 'later'
    }
    const again = error instanceof AppError && (error.kind === 'unavailable' || error.kind === 'rate_limited')
    if (again && delivery.attempts < ATTEMPTS) {
      await write({ state: 'pending', error: why, claimedAt: null })
      throw error
    }
    await write({ state: 'failed', error: why })
    ctx.log.warn({ deliveryId, way: delivery.way, error: why }, 'alert given up')
    await tellInstead(ctx, delivery, deps)
    return 'failed'
  }
}

const OVERDUE_MS = 60_000

/** Sends what its job should have sent by now, without the queue. @returns how many */
export async function sendOverdue(ctx: DomainContext, deps: AlertDeps): Promise<number> {
  const before = new Date(deps.now().getTime() - OVERDUE_MS)
  const rows = await ctx.db
    .select({ id: alertDeliveries.id, businessId: alertDeliveries.businessId })
    .from(alertDeliveries)
    .where(
      and(
        eq(alertDeliveries.state, 'pending'),
        // One that was tried waits for the next try of its job.
        eq(alertDeliveries.attempts, 0),
        lt(alertDeliveries.notBefore, before),
        lt(alertDeliveries.queuedAt, before),
      ),
    )
    .limit(50)
  for (const { id, businessId } of rows)
    await sendAlert(within(ctx, businessId), id, deps).catch((error: unknown) =>
      ctx.log.warn({ deliveryId: id, error: errorMessage(error) }, 'an alert was not sent beside the queue'),
    )
  return rows.length
}

/** Takes a delivery for one attempt, or says why not. */
async function claimDelivery(
  ctx: BusinessContext,
  id: string,
  now: Date,
): Promise<Claim | AlertOutcome | { leftBehind: string }> {
  return await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .select({ incidentId: alertDeliveries.incidentId })
      .from(alertDeliveries)
      .where(and(eq(alertDeliveries.id, id), eq(alertDeliveries.businessId, ctx.businessId)))
    if (!row) return 'gone'
    // Before the delivery, in the order in which whoever takes the incident locks them.
    const [incident = null] = row.incidentId
      ? await tx
          .select()
          .from(alertIncidents)
          .where(and(eq(alertIncidents.id, row.incidentId), eq(alertIncidents.businessId, ctx.businessId)))
          .for('update')
      : []
    const [delivery] = await tx
      .select()
      .from(alertDeliveries)
      .where(and(eq(alertDeliveries.id, id), eq(alertDeliveries.businessId, ctx.businessId)))
      .for('update')
    if (!delivery) return 'gone'
    const { state, attempts, claimedAt } = delivery
    if (state === 'held') return 'later'
    if (state !== 'pending' && state !== 'sending') return state
    if (state === 'sending' && claimedAt && now.getTime() - claimedAt.getTime() < CLAIM_MS) return 'busy'
    const set = async (changes: Partial<typeof alertDeliveries.$inferInsert>) => {
      await tx.update(alertDeliveries).set(changes).where(eq(alertDeliveries.id, id))
    }
    const again = state === 'sending'
    if (again && attempts >= UNKNOWN_ATTEMPTS) {
      await set({ state: 'unknown', error: delivery.error ?? 'its process died while it was sent', sentAt: now })
      return 'unknown'
    }
    const first = delivery.purpose === 'alert' || delivery.purpose === 'escalation'
    const why =
      delivery.expiresAt <= now
        ? 'it expired'
        : first && incident && isSettled(incident, now)
          ? 'it is taken or over'
          : null
    if (why) {
      await set({ state: 'dropped', error: why })
      return 'dropped'
    }
    if (delivery.notBefore > now) return 'later'
    if (!delivery.channelId && !(await isMember(tx, ctx, delivery.userId))) {
      await set({ state: 'dropped', error: 'no member any more' })
      return delivery.deviceId ? { leftBehind: delivery.deviceId } : 'dropped'
    }
    await set({ state: 'sending', attempts: attempts + 1, claimedAt: now })
    return { delivery: { ...delivery, attempts: attempts + 1 }, incident, again }
  })
}

/** Who has no login is the sandbox's own machine. */
async function isMember(
  tx: Pick<BusinessContext['db'], 'select'>,
  ctx: BusinessContext,
  userId: string | null,
): Promise<boolean> {
  if (userId === null) return true
  const [row] = await tx
    .select({ one: sql`1` })
    .from(memberships)
    .where(and(eq(memberships.businessId, ctx.businessId), eq(memberships.userId, userId)))
  return row !== undefined
}

type Sent = { ref: string | null } | 'later' | 'dropped' | 'gone'

async function send(ctx: BusinessContext, claim: Claim, deps: AlertDeps): Promise<Sent> {
  const { delivery, incident } = claim
  const business = await getBusiness(ctx)
  const language = await languageOf(ctx, delivery, business.language)
  const { purpose, covers } = delivery
  const asked = { purpose, incident, covers, language, timeZone: business.timezone }
  const composed = await compose(ctx, asked, deps.now())
  if (composed === 'later') return 'later'
  if (composed === null) return 'dropped'
  const link = deps.links.console(ctx.businessId, composed.url, incident?.id ?? null)
  const laidOut = { composed, language, link, business: business.name }
  switch (delivery.way) {
    case 'push':
      return await sendPush(ctx, claim, composed, language, deps)
    case 'email':
      return await sendMail(ctx, claim, laidOut, deps)
    case 'whatsapp':
      return await sendWhatsApp(ctx, claim, laidOut, deps)
    case 'sms':
      return await sendSms(ctx, claim, laidOut, deps)
    case 'call':
      return await ringUp(ctx, claim, deps)
    default:
      return await sendToChannel(ctx, claim, laidOut, deps)
  }
}

type LaidOut = { composed: Composed; language: Language; link: string; business: string }

async function sendPush(
  ctx: BusinessContext,
  { delivery, incident }: Claim,
  composed: Composed,
  language: Language,
  deps: AlertDeps,
): Promise<Sent> {
  if (!delivery.deviceId) return 'dropped'
  const { showText } = await getPushSettings(ctx)
  const place = placeIn(ctx.businessId, composed.url, incident?.id ?? null)
  const payload = async () => JSON.stringify(toNotification(language, composed, place, showText))
  const outcome = await sendToDevice(ctx, delivery.deviceId, payload, deps.push)
  return outcome === 'gone' ? 'gone' : { ref: null }
}

/** A place of the console that says which business it is of, since a member may have several, and which alert led to it. */
export function placeIn(businessId: string, place: string, incidentId: string | null): string {
  const query = new URLSearchParams({ ...(incidentId ? { alert: incidentId } : {}), business: businessId })
  return `${place}${place.includes('?') ? '&' : '?'}${query}`
}

async function sendMail(ctx: BusinessContext, { delivery }: Claim, laidOut: LaidOut, deps: AlertDeps): Promise<Sent> {
  if (!deps.mailer) throw new AppError('conflict', 'no_mail_server', 'No mail server is set: SMTP_URL and MAIL_FROM.')
  const { composed, language, link, business } = laidOut
  const [user] = await ctx.db
    .select({ email: users.email, mailOffAt: alertMembers.mailOffAt })
    .from(users)
    .leftJoin(alertMembers, and(eq(alertMembers.userId, users.id), eq(alertMembers.businessId, ctx.businessId)))
    .where(eq(users.id, delivery.userId ?? ''))
  if (!user || user.mailOffAt) return 'dropped'
  const unsubscribe = deps.links.unsubscribe(ctx.businessId, delivery.userId ?? '')
  const settings = deps.links.console(ctx.businessId, 'settings?part=notifications', null)
  const mail = toMail(language, composed, { link, settings, unsubscribe, business })
  await deps.mailer.send({ id: delivery.id, to: user.email, ...mail, unsubscribe })
  return { ref: delivery.id }
}

async function sendWhatsApp(
  ctx: BusinessContext,
  { delivery }: Claim,
  laidOut: LaidOut,
  deps: AlertDeps,
): Promise<Sent> {
  const { composed, language, link } = laidOut
  const to = requireAddress(delivery)
  const hint = delivery.purpose === 'alert' || delivery.purpose === 'escalation'
  const idempotencyKey = `${ALERT_KEY}${delivery.id}`
  const hidden: Parameters<typeof requestMessage>[4] = (tx, written) => hideForAlerts(tx, ctx, written)
  const text = toText(language, composed, link, { max: MAX_WHATSAPP, hint })
  try {
    const { id } = await requestMessage(ctx, { to, text, idempotencyKey }, deps.settings, null, hidden)
    return { ref: id }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    // An earlier attempt was taken, with other words.
    if (error.code === 'idempotency_conflict') return { ref: null }
    if (error.code !== 'template_required') throw error
    const [chosen] = await ctx.db.select().from(alertSettings).where(eq(alertSettings.businessId, ctx.businessId))
    if (!chosen?.whatsappTemplate) throw error
    const variables = {
      1: composed.title,
      2: [...composed.lines, composed.words ?? ''].join(' ').trim() || '-',
      3: link,
    }
    const template = { contentSid: chosen.whatsappTemplate, variables }
    const { id } = await requestMessage(ctx, { to, template, idempotencyKey }, deps.settings, null, hidden)
    return { ref: id }
  }
}

async function sendSms(ctx: BusinessContext, claim: Claim, laidOut: LaidOut, deps: AlertDeps): Promise<Sent> {
  const { delivery, again } = claim
  const { composed, language, link } = laidOut
  const carrier = requireCarrier(ctx, deps)
  const text = toText(language, composed, link, { max: MAX_SMS })
  const message = { from: await senderOf(ctx), to: requireAddress(delivery), text }
  if (again) {
    const ref = await carrier.findText({ ...message, since: delivery.createdAt })
    if (ref) return { ref }
  }
  const statusUrl = deps.links.textStatus(ctx.businessId, delivery.id)
  return { ref: await carrier.sendText({ ...message, statusUrl }) }
}

async function ringUp(ctx: BusinessContext, { delivery, again }: Claim, deps: AlertDeps): Promise<Sent> {
  const carrier = requireCarrier(ctx, deps)
  const call = { from: await senderOf(ctx), to: requireAddress(delivery) }
  if (again) {
    const others = await ctx.db
      .select({ ref: alertDeliveries.providerRef })
      .from(alertDeliveries)
      .where(
        and(
          eq(alertDeliveries.businessId, ctx.businessId),
          eq(alertDeliveries.address, call.to),
          isNotNull(alertDeliveries.providerRef),
        ),
      )
    const otherIds = others.flatMap(({ ref }) => ref ?? [])
    const ref = await carrier.findRing({ ...call, since: delivery.createdAt, otherIds })
    if (ref) return { ref }
  }
  const url = deps.links.call(ctx.businessId, delivery.id)
  const statusUrl = deps.links.callEnded(ctx.businessId, delivery.id)
  return { ref: await carrier.ring({ ...call, url, statusUrl, seconds: RING_SECONDS }) }
}

async function sendToChannel(
  ctx: BusinessContext,
  { delivery, incident }: Claim,
  laidOut: LaidOut,
  deps: AlertDeps,
): Promise<Sent> {
  const [channel] = await ctx.db
    .select()
    .from(alertChannels)
    .where(and(eq(alertChannels.id, delivery.channelId ?? ''), eq(alertChannels.businessId, ctx.businessId)))
  if (!channel || (!channel.enabled && delivery.purpose !== 'test')) return 'dropped'
  await postToChannel(channel, { delivery, incident, ...laidOut }, deps)
  return { ref: null }
}

function requireAddress({ address }: Delivery): string {
  if (!address) throw new AppError('invalid', 'no_phone', 'The member has no number to be notified at.')
  return address
}

function requireCarrier(ctx: BusinessContext, deps: AlertDeps): Telephony {
  const carrier = deps.carrierOf(ctx.businessId)
  if (!carrier)
    throw new AppError('conflict', 'telephony_not_configured', 'Twilio is not configured for this business.')
  return carrier
}

/** The number that alerts come from: the first of the business. */
async function senderOf(ctx: BusinessContext): Promise<string> {
  const [first] = await listPhoneNumbers(ctx)
  if (!first) throw new AppError('conflict', 'no_number', 'The business has no number to send from.')
  return first.e164
}

/** A device and a channel have a language of their own. */
async function languageOf(ctx: BusinessContext, delivery: Delivery, ofBusiness: Language): Promise<Language> {
  const { businessId } = ctx
  if (delivery.deviceId) {
    const [device] = await ctx.db
      .select({ language: pushDevices.language })
      .from(pushDevices)
      .where(and(eq(pushDevices.id, delivery.deviceId), eq(pushDevices.businessId, businessId)))
    if (device) return device.language
  }
  if (delivery.channelId) {
    const [channel] = await ctx.db
      .select({ language: alertChannels.language })
      .from(alertChannels)
      .where(and(eq(alertChannels.id, delivery.channelId), eq(alertChannels.businessId, businessId)))
    return channel?.language ?? ofBusiness
  }
  const members = await alertMembersOf(ctx.db, ctx)
  return members.find(({ userId }) => userId === delivery.userId)?.settings?.language ?? ofBusiness
}

/** A member who could not be notified by one way is notified by another that was not tried yet. */
async function tellInstead(
  ctx: BusinessContext,
  delivery: Delivery,
  deps: Pick<AlertDeps, 'mailer' | 'carrierOf' | 'now'>,
): Promise<void> {
  const { incidentId, userId, channelId, purpose, kind } = delivery
  if (!incidentId || channelId || (purpose !== 'alert' && purpose !== 'escalation') || !isAlertKind(kind)) return
  const now = deps.now()
  await ctx.db.transaction(async (tx) => {
    const member = (await alertMembersOf(tx, ctx)).find((each) => each.userId === userId)
    if (!member) return
    const devices = await tx
      .select({ id: pushDevices.id, userId: pushDevices.userId })
      .from(pushDevices)
      .where(eq(pushDevices.businessId, ctx.businessId))
    const own = devices.filter((device) => device.userId === userId)
    const tried = await tx
      .select({ way: alertDeliveries.way, state: alertDeliveries.state, userId: alertDeliveries.userId })
      .from(alertDeliveries)
      .where(and(eq(alertDeliveries.businessId, ctx.businessId), eq(alertDeliveries.incidentId, incidentId)))
    const theirs = tried.filter((each) => each.userId === userId)
    // Another way has notified, or will.
    if (theirs.some(({ state }) => state !== 'failed' && state !== 'dropped')) return
    const can = waysOf(ctx, member, own.length > 0, reachOf(deps))
    const way = MEMBER_WAYS.find((each) => can.has(each) && !theirs.some((other) => other.way === each))
    if (!way) return
    const [incident] = await tx.select().from(alertIncidents).where(eq(alertIncidents.id, incidentId))
    if (!incident) return
    // The way may have failed for hours, into the member's night.
    const when = whenFor(kind, member, now, await zoneOf(tx, ctx))
    const base = { businessId: ctx.businessId, incidentId, kind, purpose, way, userId, ...when }
    const times = { expiresAt: delivery.expiresAt }
    const key = (to: string) => `${delivery.key}:instead:${way}:${to}`
    const address = way === 'push' || way === 'email' ? null : phoneOf(member)
    const rows =
      way === 'push'
        ? own.map(({ id }) => ({ ...base, ...times, deviceId: id, key: key(id) }))
        : [{ ...base, ...times, address, key: key(userId ?? 'machine') }]
    await tx
      .insert(alertDeliveries)
      .values(await outlivesQuiet(tx, ctx, incident, rows))
      .onConflictDoNothing()
  })
}

/** What Twilio reports of an SMS that did not arrive (Messaging: MessageStatus). */
const NOT_DELIVERED = new Set(['undelivered', 'failed'])

/**
 * Takes what became of an SMS by the carrier: of one that did not arrive the member is notified by another way.
 * @returns false while it is being sent: a report may come before the answer to the request that sent it
 */
export async function noteTextStatus(
  ctx: BusinessContext,
  deliveryId: string,
  { status, code }: { status: string; code: string | null },
  deps: Pick<AlertDeps, 'mailer' | 'carrierOf' | 'now'>,
): Promise<boolean> {
  if (!NOT_DELIVERED.has(status)) return true
  const [row] = await ctx.db
    .select({ state: alertDeliveries.state })
    .from(alertDeliveries)
    .where(and(eq(alertDeliveries.id, deliveryId), eq(alertDeliveries.businessId, ctx.businessId)))
  if (row?.state === 'sending') return false
  const [failed] = await ctx.db
    .update(alertDeliveries)
    .set({ state: 'failed', error: `The carrier reports: ${status}${code ? ` (${code})` : ''}.` })
    .where(
      and(
        eq(alertDeliveries.id, deliveryId),
        eq(alertDeliveries.businessId, ctx.businessId),
        eq(alertDeliveries.way, 'sms'),
        inArray(alertDeliveries.state, ['sent', 'unknown']),
      ),
    )
    .returning()
  if (failed) await tellInstead(ctx, failed, deps)
  return true
}

/** Marks deliveries by WhatsApp as failed whose messages failed later. @returns how many */
export async function checkHandedOver(ctx: BusinessContext, deps: AlertDeps): Promise<number> {
  const since = new Date(deps.now().getTime() - 2 * 3_600_000)
  const rows = await ctx.db
    .select()
    .from(alertDeliveries)
    .where(
      and(
        eq(alertDeliveries.businessId, ctx.businessId),
        eq(alertDeliveries.way, 'whatsapp'),
        eq(alertDeliveries.state, 'sent'),
        gt(alertDeliveries.sentAt, since),
        sql`exists (select from messages m where m.id::text = ${alertDeliveries.providerRef}
          and m.business_id = ${alertDeliveries.businessId} and m.status = 'failed')`,
      ),
    )
  for (const delivery of rows) {
    await ctx.db
      .update(alertDeliveries)
      .set({ state: 'failed', error: 'WhatsApp did not deliver it.' })
      .where(and(eq(alertDeliveries.id, delivery.id), eq(alertDeliveries.state, 'sent')))
    await tellInstead(ctx, delivery, deps)
  }
  return rows.length
}

/** By which ways of its members nothing arrives at present: the last that ended there failed. */
export async function failingWays(
  ctx: BusinessContext,
  now: Date,
): Promise<{ failing: MemberWay[]; working: MemberWay[] }> {
  const rows = await ctx.db
    .selectDistinctOn([alertDeliveries.way], { way: alertDeliveries.way, state: alertDeliveries.state })
    .from(alertDeliveries)
    .where(
      and(
        eq(alertDeliveries.businessId, ctx.businessId),
        inArray(alertDeliveries.way, [...MEMBER_WAYS]),
        inArray(alertDeliveries.state, ['sent', 'failed']),
        gt(alertDeliveries.updatedAt, new Date(now.getTime() - 24 * 3_600_000)),
      ),
    )
    .orderBy(alertDeliveries.way, sql`${alertDeliveries.updatedAt} desc`)
  const of = (state: string) => MEMBER_WAYS.filter((way) => rows.some((row) => row.way === way && row.state === state))
  return { failing: of('failed'), working: of('sent') }
}
