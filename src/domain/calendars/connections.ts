import { and, asc, eq, inArray } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import {
  CALENDAR_KINDS,
  CONNECTION_STATES,
  calendarConnections,
  OUTSIDE_CHANGE_RULES,
  outsideCalendars,
  outsideEvents,
  staff,
} from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { requiredText } from '../../lib/text.ts'
import {
  type CalendarAccount,
  CalendarError,
  type RemoteCalendar,
  type Tokens,
} from '../../providers/calendars/port.ts'
import { audit, type BusinessContext } from '../context.ts'
import { type Connection, sealAccess, withAccount, withConnection } from './access.ts'
import type { CalendarDeps, CalendarKind, OAuthKind } from './deps.ts'
import { queueRound } from './queue.ts'

const MOST = 50

const address = (protocol: RegExp) => z.url({ protocol, error: 'an address of a server' }).max(2_000)

/** A calendar that is connected without a login in the browser: by CalDAV, or as a feed to read. */
export const connectionInput = z
  .object({
    kind: z.enum(['caldav', 'ics']),
    /** Left out, it is of the whole business. */
    staffId: z.uuid().nullish(),
    url: address(/^(https?|webcals?)$/),
    username: requiredText(320).optional(),
    password: z.string().min(1).max(1_000).optional(),
  })
  .superRefine((given, check) => {
    if (given.kind !== 'caldav') return
    for (const field of ['username', 'password'] as const)
      if (!given[field])
        check.addIssue({ code: 'custom', path: [field], message: 'CalDAV needs a name and a password.' })
  })

export const connectionChanges = z.object({
  staffId: z.uuid().nullish(),
  onChange: z.enum(OUTSIDE_CHANGE_RULES).optional(),
  notifyCustomer: z.boolean().optional(),
  showTitles: z.boolean().optional(),
  calendars: z
    .array(z.object({ id: z.uuid(), reads: z.boolean(), writes: z.boolean() }))
    .max(200)
    .optional(),
})

export const connectionView = z.object({
  id: z.uuid(),
  kind: z.enum(CALENDAR_KINDS),
  name: z.string(),
  staffId: z.uuid().nullable(),
  state: z.enum(CONNECTION_STATES),
  /** Why it does not work, as a code. */
  reason: z.string().nullable(),
  onChange: z.enum(OUTSIDE_CHANGE_RULES),
  notifyCustomer: z.boolean(),
  showTitles: z.boolean(),
  syncedAt: z.date().nullable(),
  calendars: z.array(
    z.object({
      id: z.uuid(),
      name: z.string(),
      writable: z.boolean(),
      reads: z.boolean(),
      writes: z.boolean(),
      syncedAt: z.date().nullable(),
      /** Whether the vendor sends notices; else it is polled. */
      notices: z.boolean(),
    }),
  ),
})

/** The connections of a business, with their calendars; never what they hold. */
export async function listConnections(ctx: BusinessContext): Promise<z.output<typeof connectionView>[]> {
  const rows = await ctx.db
    .select()
    .from(calendarConnections)
    .where(eq(calendarConnections.businessId, ctx.businessId))
    .orderBy(asc(calendarConnections.id))
  const calendars = await ctx.db
    .select()
    .from(outsideCalendars)
    .where(eq(outsideCalendars.businessId, ctx.businessId))
    .orderBy(asc(outsideCalendars.id))
  return rows.map(({ id, kind, name, staffId, state, reason, onChange, notifyCustomer, showTitles, syncedAt }) => ({
    ...{ id, kind, name, staffId, state, reason, onChange, notifyCustomer, showTitles, syncedAt },
    calendars: calendars
      .filter(({ connectionId }) => connectionId === id)
      .map((each) => ({
        id: each.id,
        name: each.name,
        writable: each.writable,
        reads: each.reads,
        writes: each.writes,
        syncedAt: each.syncedAt,
        notices: each.channelId !== null,
      })),
  }))
}

/** @throws AppError `calendar_not_found` */
export async function getConnection(ctx: BusinessContext, id: string) {
  const found = (await listConnections(ctx)).find((each) => each.id === id)
  if (!found) throw notFound()
  return found
}

const notFound = () => new AppError('not_found', 'calendar_not_found', 'There is no such connected calendar.')

/**
 * Connects a CalDAV account or a feed, after it was read once.
 * @throws AppError `calendar_refused`, `calendar_unreachable`, `calendar_address`, `calendars_full`, `staff_not_found`
 */
export async function connectByForm(
  ctx: BusinessContext,
  input: z.input<typeof connectionInput>,
  deps: CalendarDeps,
): Promise<string> {
  const { kind, staffId = null, url, username = '', password = '' } = connectionInput.parse(input)
  if (staffId) await requireStaff(ctx.db, ctx, staffId)
  const access = kind === 'caldav' ? { serverUrl: url, username, password } : { url }
  const account = kind === 'caldav' ? deps.caldav({ serverUrl: url, username, password }) : deps.feed({ url })
  const found = await readCalendars(account, kind)
  if (kind === 'ics') await tryRead(account)
  const host = new URL(url.replace(/^webcal/i, 'http')).hostname
  return await store(
    ctx,
    { kind, staffId, name: kind === 'caldav' ? `${username} (${host})` : host, access, found },
    deps,
  )
}

/** A feed is read once, so that an address that is none is refused now. */
async function tryRead(account: CalendarAccount): Promise<void> {
  const now = Date.now()
  try {
    await account.sync('feed', null, { from: new Date(now), to: new Date(now + 86_400_000), zone: 'UTC' })
  } catch (error) {
    throw toAppError(error)
  }
}

/** Connects the account that a person logged in to at its vendor. The same account again gets the new tokens. */
export async function connectByLogin(
  ctx: BusinessContext,
  login: { kind: OAuthKind; staffId: string | null; tokens: Tokens; account: string },
  deps: CalendarDeps,
): Promise<string> {
  const { kind, staffId, tokens: access, account: name } = login
  const vendor = deps.vendors[kind]
  if (!vendor)
    throw new AppError('not_implemented', 'calendar_not_configured', 'This installation has no client there.')
  const found = await readCalendars(vendor.account(access.accessToken), kind)
  return await store(ctx, { kind, staffId, name, access, found }, deps)
}

async function readCalendars(account: CalendarAccount, kind: CalendarKind): Promise<RemoteCalendar[]> {
  try {
    const found = await account.calendars()
    if (found.length === 0)
      throw new AppError('invalid', 'calendar_refused', 'There are no calendars in this account.', { field: 'url' })
    return found
  } catch (error) {
    throw toAppError(error, kind)
  }
}

function toAppError(error: unknown, kind: CalendarKind = 'ics'): unknown {
  if (!(error instanceof CalendarError)) return error
  if (error.problem === 'not_allowed')
    return new AppError('forbidden', 'calendar_address', 'This address may not be reached from here.', {
      field: 'url',
      cause: error,
    })
  if (error.problem === 'unavailable' || error.problem === 'limited')
    return new AppError('unavailable', 'calendar_unreachable', 'The calendar could not be reached. Try again.', {
      cause: error,
    })
  const what = kind === 'caldav' ? 'Check the address, the name and the password.' : 'Check the address.'
  return new AppError('invalid', 'calendar_refused', `There is no calendar to read there. ${what}`, {
    field: error.problem === 'reconnect' ? 'password' : 'url',
    cause: error,
  })
}

type Found = { kind: CalendarKind; staffId: string | null; name: string; access: object; found: RemoteCalendar[] }

async function store(ctx: BusinessContext, given: Found, deps: CalendarDeps): Promise<string> {
  const { kind, staffId, name, access, found } = given
  const now = deps.now()
  const id = await ctx.db.transaction(async (tx) => {
    if (staffId) await requireStaff(tx, ctx, staffId)
    const known = await tx
      .select({ id: calendarConnections.id, kind: calendarConnections.kind, name: calendarConnections.name })
      .from(calendarConnections)
      .where(eq(calendarConnections.businessId, ctx.businessId))
    const same = kind === 'ics' ? undefined : known.find((each) => each.kind === kind && each.name === name)
    if (!same && known.length >= MOST)
      throw new AppError('conflict', 'calendars_full', `A business has at most ${MOST} connected calendars.`)
    const id = same?.id ?? newId()
    const sealed = sealAccess(deps, id, access)
    const fresh = { sealed, state: 'connected' as const, reason: null, failures: 0, nextSyncAt: now }
    if (same) await tx.update(calendarConnections).set(fresh).where(mine(ctx, id))
    else
      await tx
        .insert(calendarConnections)
        .values({ id, businessId: ctx.businessId, staffId, kind, name: name.slice(0, 320), ...fresh })
    await addCalendars(tx, ctx, id, found)
    await audit(tx, ctx, {
      action: same ? 'calendar.reconnect' : 'calendar.connect',
      entity: 'calendar_connection',
      entityId: id,
    })
    return id
  })
  await queueRound(ctx, 'calendar.sync', ctx.businessId, id)
  return id
}

/** Only the first calendar of an account is read and written at first: to write to each would make copies. */
async function addCalendars(tx: Executor, ctx: BusinessContext, connectionId: string, found: RemoteCalendar[]) {
  const primary = found.find((each) => each.primary) ?? found[0]
  await tx
    .insert(outsideCalendars)
    .values(
      found.slice(0, 200).map((each) => ({
        id: newId(),
        businessId: ctx.businessId,
        connectionId,
        remoteId: each.remoteId,
        name: each.name.slice(0, 300),
        writable: each.writable,
        reads: each === primary,
        writes: each === primary && each.writable,
      })),
    )
    .onConflictDoNothing()
}

const mine = (ctx: BusinessContext, id: string) =>
  and(eq(calendarConnections.id, id), eq(calendarConnections.businessId, ctx.businessId))

async function requireStaff(tx: Executor, ctx: BusinessContext, staffId: string): Promise<void> {
  const [row] = await tx
    .select({ id: staff.id })
    .from(staff)
    .where(and(eq(staff.id, staffId), eq(staff.businessId, ctx.businessId)))
  if (!row) throw new AppError('not_found', 'staff_not_found', 'There is no such person.', { field: 'staffId' })
}

/**
 * Changes what is read and written of a connection, and what happens with changes outside.
 * @throws AppError `calendar_not_found`, `calendar_read_only`, `staff_not_found`
 */
export async function updateConnection(
  ctx: BusinessContext,
  id: string,
  input: z.input<typeof connectionChanges>,
  now = new Date(),
): Promise<void> {
  const { calendars = [], ...changes } = connectionChanges.parse(input)
  await ctx.db.transaction(async (tx) => {
    if (changes.staffId) await requireStaff(tx, ctx, changes.staffId)
    const set = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
    const rows = await tx
      .update(calendarConnections)
      .set({ ...set, nextSyncAt: now })
      .where(mine(ctx, id))
      .returning({ id: calendarConnections.id })
    if (rows.length === 0) throw notFound()
    const known = await tx
      .select()
      .from(outsideCalendars)
      .where(and(eq(outsideCalendars.connectionId, id), eq(outsideCalendars.businessId, ctx.businessId)))
    for (const each of calendars) await changeCalendar(tx, ctx, known, each)
    if (changes.showTitles === false) {
      const ids = known.map((each) => each.id)
      await tx
        .update(outsideEvents)
        .set({ title: null })
        .where(and(eq(outsideEvents.businessId, ctx.businessId), inArray(outsideEvents.calendarId, ids)))
    }
    // Titles come with the next whole round.
    if (changes.showTitles)
      await tx
        .update(outsideCalendars)
        .set({ readAt: null })
        .where(and(eq(outsideCalendars.connectionId, id), eq(outsideCalendars.businessId, ctx.businessId)))
    await audit(tx, ctx, { action: 'calendar.update', entity: 'calendar_connection', entityId: id })
  })
  await queueRound(ctx, 'calendar.sync', ctx.businessId, id)
}

async function changeCalendar(
  tx: Executor,
  ctx: BusinessContext,
  known: (typeof outsideCalendars.$inferSelect)[],
  { id, reads, writes }: { id: string; reads: boolean; writes: boolean },
): Promise<void> {
  const before = known.find((each) => each.id === id)
  if (!before) throw notFound()
  if (writes && !before.writable)
    throw new AppError('invalid', 'calendar_read_only', 'This calendar can only be read.', { field: 'calendars' })
  const theirs = and(eq(outsideCalendars.id, id), eq(outsideCalendars.businessId, ctx.businessId))
  // What is not read any more is not busy any more; read again, it is read whole.
  await tx
    .update(outsideCalendars)
    .set({ reads, writes, ...(reads === before.reads ? {} : { readAt: null, syncState: null }) })
    .where(theirs)
  if (!reads)
    await tx
      .delete(outsideEvents)
      .where(and(eq(outsideEvents.businessId, ctx.businessId), eq(outsideEvents.calendarId, id)))
}

/**
 * Disconnects: nothing of it is busy here any more. What we wrote stays there, since a person may want it; its channels are
 * closed where the vendor still lets us. @throws AppError `calendar_not_found`
 */
export async function removeConnection(ctx: BusinessContext, id: string, deps: CalendarDeps): Promise<void> {
  await withConnection(ctx, id, deps, (connection) => closeChannels(ctx, connection, deps), 2_000)
  await ctx.db.transaction(async (tx) => {
    const gone = await tx.delete(calendarConnections).where(mine(ctx, id)).returning({ id: calendarConnections.id })
    if (gone.length === 0) throw notFound()
    await audit(tx, ctx, { action: 'calendar.disconnect', entity: 'calendar_connection', entityId: id })
  })
}

async function closeChannels(ctx: BusinessContext, connection: Connection, deps: CalendarDeps): Promise<void> {
  const open = await ctx.db
    .select()
    .from(outsideCalendars)
    .where(and(eq(outsideCalendars.connectionId, connection.id), eq(outsideCalendars.businessId, ctx.businessId)))
  const channels = open.flatMap(({ channelId, channelResource, channelExpiresAt }) =>
    channelId && channelResource && channelExpiresAt
      ? [{ id: channelId, resource: channelResource, expiresAt: channelExpiresAt }]
      : [],
  )
  if (channels.length === 0 || connection.state === 'needs_reconnect') return
  try {
    await withAccount(ctx, connection, deps, async ({ watch }) => {
      for (const channel of channels) await watch?.close(channel)
    })
  } catch (error) {
    if (!(error instanceof CalendarError)) throw error
    ctx.log.info({ connectionId: connection.id, problem: error.problem }, 'channels of a calendar left to end')
  }
}
