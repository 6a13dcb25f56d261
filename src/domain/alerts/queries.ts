import { and, desc, eq, isNotNull, isNull } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import {
  ALERT_WAYS,
  alertChannels,
  alertDeliveries,
  alertIncidents,
  alertSteps,
  pushDevices,
  users,
} from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import { contentOf } from './content.ts'
import { ALERT_KINDS, isAlertKind, KINDS } from './kinds.ts'

export const alertFilters = pageInput.extend({
  /** `open`: no one has taken them, and they are not over. */
  state: z.enum(['open', 'taken', 'over']).optional(),
  kind: z.enum(ALERT_KINDS).optional(),
})
export const alertView = z.object({
  id: z.uuid(),
  kind: z.string(),
  level: z.enum(['normal', 'important', 'critical']),
  state: z.enum(['open', 'taken', 'over']),
  /** A name or a number; null where it is about no person, or the person is gone. */
  who: z.string().nullable(),
  facts: z.record(z.string(), z.union([z.string(), z.number()])).nullable(),
  /** A place of the console. */
  url: z.string(),
  openedAt: z.date().nullable(),
  lastAt: z.date(),
  seenAt: z.date().nullable(),
  takenAt: z.date().nullable(),
  takenBy: z.string().nullable(),
  takenHow: z.enum(['console', 'whatsapp', 'sms', 'call', 'telegram']).nullable(),
  answer: z.enum(['done', 'call_back']).nullable(),
  overAt: z.date().nullable(),
})
export const alertDeliveryView = z.object({
  id: z.uuid(),
  incidentId: z.uuid().nullable(),
  kind: z.string(),
  purpose: z.enum(alertDeliveries.purpose.enumValues),
  way: z.enum(ALERT_WAYS),
  state: z.enum(alertDeliveries.state.enumValues),
  /** The member, or the name of the channel. */
  to: z.string().nullable(),
  device: z.string().nullable(),
  attempts: z.number(),
  error: z.string().nullable(),
  notBefore: z.date(),
  sentAt: z.date().nullable(),
  createdAt: z.date(),
})
export const alertDetail = alertView.extend({
  deliveries: z.array(alertDeliveryView),
  steps: z.array(
    z.object({ dueAt: z.date(), state: z.enum(['pending', 'done', 'skipped']), to: z.string().nullable() }),
  ),
})

const taker = alias(users, 'taker')

/** What happened and whether someone has it, the newest first. */
export async function listAlerts(ctx: BusinessContext, input: z.input<typeof alertFilters>) {
  const page = alertFilters.parse(input)
  const taken = isNotNull(alertIncidents.takenAt)
  const query = pageQuery(
    alertIncidents.id,
    page,
    eq(alertIncidents.businessId, ctx.businessId),
    isNotNull(alertIncidents.openedAt),
    page.kind ? eq(alertIncidents.kind, page.kind) : undefined,
    page.state === 'over' ? eq(alertIncidents.state, 'over') : undefined,
    page.state === 'taken' ? and(eq(alertIncidents.state, 'open'), taken) : undefined,
    page.state === 'open' ? and(eq(alertIncidents.state, 'open'), isNull(alertIncidents.takenAt)) : undefined,
  )
  const rows = await ctx.db
    .select({ incident: alertIncidents, takenBy: taker.name, id: alertIncidents.id })
    .from(alertIncidents)
    .leftJoin(taker, eq(taker.id, alertIncidents.takenBy))
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  const { items, nextCursor } = toPage(rows, page.limit)
  return { items: await Promise.all(items.map((row) => toView(ctx, row))), nextCursor }
}

type Row = { incident: typeof alertIncidents.$inferSelect; takenBy: string | null }

async function toView(ctx: BusinessContext, { incident, takenBy }: Row): Promise<z.infer<typeof alertView>> {
  const { id, kind, subject, facts, openedAt, lastAt, seenAt, takenAt, takenHow, answer, overAt } = incident
  const content = isAlertKind(kind) ? await contentOf(ctx, { kind, subject, facts }, new Date()) : null
  const about = content === 'later' ? null : content
  return {
    id,
    kind,
    level: isAlertKind(kind) ? KINDS[kind].level : 'normal',
    state: incident.state === 'over' ? 'over' : takenAt ? 'taken' : 'open',
    who: about?.who ?? null,
    facts,
    url: about?.url ?? (isAlertKind(kind) ? KINDS[kind].url : 'today'),
    openedAt,
    lastAt,
    seenAt,
    takenAt,
    takenBy,
    takenHow,
    answer,
    overAt,
  }
}

/** One with all that was notified of it. @throws AppError `alert_not_found` */
export async function getAlert(ctx: BusinessContext, id: string): Promise<z.infer<typeof alertDetail>> {
  const [row] = await ctx.db
    .select({ incident: alertIncidents, takenBy: taker.name })
    .from(alertIncidents)
    .leftJoin(taker, eq(taker.id, alertIncidents.takenBy))
    .where(and(eq(alertIncidents.id, id), eq(alertIncidents.businessId, ctx.businessId)))
  if (!row) throw new AppError('not_found', 'alert_not_found', 'There is no such alert.')
  const deliveries = await deliveriesOf(ctx, eq(alertDeliveries.incidentId, id), 200)
  const steps = await ctx.db
    .select({ dueAt: alertSteps.dueAt, state: alertSteps.state, to: users.name })
    .from(alertSteps)
    .leftJoin(users, eq(users.id, alertSteps.userId))
    .where(and(eq(alertSteps.incidentId, id), eq(alertSteps.businessId, ctx.businessId)))
    .orderBy(alertSteps.position)
  return { ...(await toView(ctx, row)), deliveries, steps }
}

export const deliveryFilters = pageInput.extend({
  way: z.enum(ALERT_WAYS).optional(),
  state: z.enum(alertDeliveries.state.enumValues).optional(),
})

/** What was sent whom and how, the newest first. */
export async function listAlertDeliveries(ctx: BusinessContext, input: z.input<typeof deliveryFilters>) {
  const page = deliveryFilters.parse(input)
  const query = pageQuery(
    alertDeliveries.id,
    page,
    page.way ? eq(alertDeliveries.way, page.way) : undefined,
    page.state ? eq(alertDeliveries.state, page.state) : undefined,
  )
  return toPage(await deliveriesOf(ctx, query.where, query.limit), page.limit)
}

async function deliveriesOf(ctx: BusinessContext, where: Parameters<typeof and>[0], limit: number) {
  const rows = await ctx.db
    .select({
      id: alertDeliveries.id,
      incidentId: alertDeliveries.incidentId,
      kind: alertDeliveries.kind,
      purpose: alertDeliveries.purpose,
      way: alertDeliveries.way,
      state: alertDeliveries.state,
      user: users.name,
      channel: alertChannels.label,
      device: pushDevices.label,
      attempts: alertDeliveries.attempts,
      error: alertDeliveries.error,
      notBefore: alertDeliveries.notBefore,
      sentAt: alertDeliveries.sentAt,
      createdAt: alertDeliveries.createdAt,
    })
    .from(alertDeliveries)
    .leftJoin(users, eq(users.id, alertDeliveries.userId))
    .leftJoin(
      alertChannels,
      and(eq(alertChannels.id, alertDeliveries.channelId), eq(alertChannels.businessId, ctx.businessId)),
    )
    .leftJoin(
      pushDevices,
      and(eq(pushDevices.id, alertDeliveries.deviceId), eq(pushDevices.businessId, ctx.businessId)),
    )
    .where(and(eq(alertDeliveries.businessId, ctx.businessId), where))
    .orderBy(desc(alertDeliveries.id))
    .limit(limit)
  return rows.map(({ user, channel, ...row }) => ({ ...row, to: user ?? channel }))
}
