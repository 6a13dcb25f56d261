import { and, eq } from 'drizzle-orm'
import { z } from 'zod'
import { calendarConnections } from '../../../db/schema/index.ts'
import { type CalendarAccount, CalendarError } from '../../providers/calendars/port.ts'
import type { BusinessContext } from '../context.ts'
import { tryWithLock } from '../locks.ts'
import type { CalendarDeps, OAuthKind } from './deps.ts'

export type Connection = typeof calendarConnections.$inferSelect

const tokens = z.object({ accessToken: z.string(), refreshToken: z.string(), expiresAt: z.coerce.date() })
const caldav = z.object({ serverUrl: z.string(), username: z.string(), password: z.string() })
const ics = z.object({ url: z.string() })

/** A token that is over so soon is not used any more. */
const MARGIN_MS = 60_000

export function sealAccess(deps: Pick<CalendarDeps, 'box'>, connectionId: string, access: object): string {
  return deps.box.seal(JSON.stringify(access), placeOf(connectionId))
}

/** Moved to another row, it does not open. */
const placeOf = (connectionId: string) => `calendar:${connectionId}`

/**
 * All that is done with the account of a connection is done under its lock: one round, one writer and one that refreshes its
 * tokens at a time, in whichever process. @returns null when another holds it for longer than `waitMs`
 */
export async function withConnection<T>(
  ctx: BusinessContext,
  id: string,
  deps: CalendarDeps,
  work: (connection: Connection) => Promise<T>,
  waitMs = 0,
): Promise<T | null> {
  const done = await tryWithLock(
    deps.pool,
    `calendar:${id}`,
    async () => {
      const [row] = await ctx.db
        .select()
        .from(calendarConnections)
        .where(and(eq(calendarConnections.id, id), eq(calendarConnections.businessId, ctx.businessId)))
      return row ? await work(row) : null
    },
    { waitMs },
  )
  return done ? done.value : null
}

/**
 * Works with the account of a connection, under its lock. Tokens are refreshed before they are over, and once when the vendor
 * does not take them. @throws CalendarError
 */
export async function withAccount<T>(
  ctx: BusinessContext,
  connection: Connection,
  deps: CalendarDeps,
  work: (account: CalendarAccount) => Promise<T>,
): Promise<T> {
  const access: unknown = JSON.parse(deps.box.open(connection.sealed, placeOf(connection.id)))
  const { kind } = connection
  if (kind === 'caldav') return await work(deps.caldav(caldav.parse(access)))
  if (kind === 'ics') return await work(deps.feed(ics.parse(access)))
  const vendor = vendorOf(deps, kind)
  const known = tokens.parse(access)
  const refresh = async () => {
    const fresh = await vendor.refresh(known.refreshToken)
    // Stored before it is used: a vendor may have ended the old refresh token by now.
    await ctx.db
      .update(calendarConnections)
      .set({ sealed: sealAccess(deps, connection.id, fresh) })
      .where(and(eq(calendarConnections.id, connection.id), eq(calendarConnections.businessId, ctx.businessId)))
    return fresh.accessToken
  }
  const isOver = known.expiresAt.getTime() - MARGIN_MS <= deps.now().getTime()
  if (isOver) return await work(vendor.account(await refresh()))
  try {
    return await work(vendor.account(known.accessToken))
  } catch (error) {
    if (!(error instanceof CalendarError) || error.problem !== 'unauthorized') throw error
    return await work(vendor.account(await refresh()))
  }
}

/** @throws CalendarError `refused` where the installation has no client at the vendor any more */
export function vendorOf(deps: Pick<CalendarDeps, 'vendors'>, kind: OAuthKind) {
  const vendor = deps.vendors[kind]
  if (!vendor) throw new CalendarError('refused', `This installation has no client at ${kind}.`)
  return vendor
}
