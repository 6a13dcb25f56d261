import { createHash, randomBytes } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { z } from 'zod'
import { type AccessContext, type BusinessEnv, businessOf, type PrincipalDeps } from '../../access/authenticate.ts'
import { permissionOf } from '../../access/permissions.ts'
import { requireAccess } from '../../access/require-access.ts'
import { CALENDARS, publicUrl } from '../../access/urls.ts'
import {
  type CalendarDeps,
  connectByLogin,
  type FeedLinks,
  type OAuthKind,
  readFeed,
} from '../../domain/calendars/index.ts'
import type { DomainContext } from '../../domain/context.ts'
import { AppError, toAppError } from '../../lib/errors.ts'
import { secretsEqual, sha256Hex } from '../../lib/ids.ts'
import { CalendarError } from '../../providers/calendars/port.ts'
import { createAddressLimit } from '../address-limit.ts'

const COOKIE = 'calendar_login'
const LOGIN_MS = 15 * 60_000
/** Wrong feed addresses and logins of an address in a minute. */
const MAX_USELESS = 60

export type CalendarRoutesDeps = {
  ctx: DomainContext
  calendars: CalendarDeps
  feedLinks: FeedLinks
  /** A calendar's text. @param refreshMinutes how often programs should read it */
  writeFeed(events: NonNullable<Awaited<ReturnType<typeof readFeed>>>['events'], name: string): string
  principal: PrincipalDeps
  publicBaseUrl: string
  addressOf(request: Request): string
}

const kind = z.enum(['google', 'microsoft'])
const begun = z.object({
  nonce: z.string(),
  verifier: z.string(),
  kind,
  businessId: z.uuid(),
  actorId: z.string(),
  staffId: z.uuid().nullable(),
  until: z.number(),
})
const answer = z.object({
  state: z.string().max(200),
  code: z.string().min(1).max(4_096).optional(),
  error: z.string().max(200).optional(),
})

/** The logins by which calendars are connected, and the feeds that calendar programs read. */
export function createCalendarRoutes(deps: CalendarRoutesDeps): Hono<BusinessEnv> {
  const app = new Hono<BusinessEnv>()
  const limit = createAddressLimit(MAX_USELESS)
  app.get('/oauth/:kind', (c) => begin(c, deps))
  app.get('/oauth/:kind/callback', async (c) => {
    limit.check(deps.addressOf(c.req.raw))
    const outcome = await finish(c, deps)
    if (outcome !== 'connected') limit.note(deps.addressOf(c.req.raw))
    return c.redirect(publicUrl(deps.publicBaseUrl, `/console/settings?part=calendars&connected=${outcome}`), 303)
  })
  app.get('/feed/:id/:file', async (c) => {
    limit.check(deps.addressOf(c.req.raw))
    const found = await openFeed(c.req.param('id'), c.req.param('file'), deps)
    if (!found) {
      limit.note(deps.addressOf(c.req.raw))
      throw new AppError('not_found', 'calendar_feed_not_found', 'There is no such calendar address.')
    }
    const etag = `"${sha256Hex(found).slice(0, 32)}"`
    const headers = { etag, 'cache-control': 'private, max-age=300' }
    if (c.req.header('if-none-match')?.includes(etag)) return c.body(null, 304, headers)
    return c.body(found, 200, { ...headers, 'content-type': 'text/calendar; charset=utf-8' })
  })
  return app
}

async function openFeed(id: string, file: string, { ctx, feedLinks, writeFeed }: CalendarRoutesDeps) {
  const token = /^([A-Za-z0-9_-]{40})\.ics$/.exec(file)?.[1]
  if (!token || !z.uuid().safeParse(id).success || !feedLinks.verify(id, token)) return null
  const feed = await readFeed(ctx, id)
  return feed ? writeFeed(feed.events, feed.name) : null
}

const redirectUri = ({ publicBaseUrl }: CalendarRoutesDeps, vendor: OAuthKind) =>
  publicUrl(publicBaseUrl, `${CALENDARS}/oauth/${vendor}/callback`)

/** `GET /calendars/oauth/:kind`: sends the member to the vendor. The cookie binds the answer to this browser. */
function begin(c: Context<BusinessEnv>, deps: CalendarRoutesDeps): Response {
  const business = c.get('business')
  const vendor = kind.safeParse(c.req.param('kind')).data
  const client = vendor ? deps.calendars.vendors[vendor] : null
  if (!vendor || !client)
    throw new AppError('not_implemented', 'calendar_not_configured', 'This installation has no client at this vendor.')
  const staffId = z.uuid().safeParse(c.req.query('staff')).data ?? null
  const [nonce, verifier] = [randomBytes(24).toString('base64url'), randomBytes(48).toString('base64url')]
  const { businessId, actor } = business
  const login = { nonce, verifier, kind: vendor, businessId, actorId: actor.id, staffId, until: Date.now() + LOGIN_MS }
  setCookie(c, COOKIE, deps.calendars.box.seal(JSON.stringify(login), COOKIE), {
    ...cookiePlace(deps),
    httpOnly: true,
    sameSite: 'Lax',
    maxAge: LOGIN_MS / 1_000,
  })
  // RFC 7636, section 4.2.
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  return c.redirect(client.authorizeUrl({ redirectUri: redirectUri(deps, vendor), state: nonce, challenge }), 303)
}

function cookiePlace({ publicBaseUrl }: CalendarRoutesDeps) {
  const { protocol, pathname } = new URL(publicUrl(publicBaseUrl, CALENDARS))
  return { path: pathname, secure: protocol === 'https:' }
}

/** What is said in the settings afterwards. */
type Outcome = 'connected' | 'denied' | 'expired' | 'failed'

/** `GET /calendars/oauth/:kind/callback`: the vendor sent the browser back. */
async function finish(c: Context<BusinessEnv>, deps: CalendarRoutesDeps): Promise<Outcome> {
  const login = readLogin(getCookie(c, COOKIE), deps)
  const given = answer.safeParse(c.req.query())
  deleteCookie(c, COOKIE, cookiePlace(deps))
  const expected = login && given.success && secretsEqual(login.nonce, given.data.state)
  if (!expected || login.kind !== c.req.param('kind')) return 'expired'
  const { code, error } = given.data
  if (error || !code) return 'denied'
  try {
    const business = await authenticate(c.req.raw, login, deps)
    if (!business) return 'expired'
    const client = deps.calendars.vendors[login.kind]
    if (!client) return 'failed'
    const redirect = redirectUri(deps, login.kind)
    const { account, ...tokens } = await client.exchange({ code, redirectUri: redirect, verifier: login.verifier })
    await connectByLogin(business, { kind: login.kind, staffId: login.staffId, tokens, account }, deps.calendars)
    return 'connected'
  } catch (error) {
    const why = error instanceof CalendarError ? error.problem : toAppError(error).code
    deps.ctx.log.warn({ kind: login.kind, why }, 'calendar not connected')
    return 'failed'
  }
}

function readLogin(cookie: string | undefined, { calendars }: CalendarRoutesDeps): z.output<typeof begun> | null {
  if (!cookie) return null
  try {
    const login = begun.parse(JSON.parse(calendars.box.open(cookie, COOKIE)))
    return login.until > Date.now() ? login : null
  } catch (error) {
    if (error instanceof AppError || error instanceof z.ZodError) return null
    throw error
  }
}

/**
 * The member who began the login, who must still be logged in and may still connect. The request comes from the vendor's page, which
 * the check of origins refuses; here the cookie and its nonce say that this browser asked for it.
 */
async function authenticate(
  request: Request,
  login: z.output<typeof begun>,
  { principal }: CalendarRoutesDeps,
): Promise<AccessContext | null> {
  const headers = new Headers(request.headers)
  for (const name of ['origin', 'sec-fetch-site', 'authorization', 'x-business-id']) headers.delete(name)
  const same = new Request(request.url, { headers })
  const business = await businessOf(
    same,
    { ...principal, addressOf: () => principal.addressOf(request) },
    login.businessId,
  )
  const needs = permissionOf('calendars.connect')
  if (!needs || business.actor.id !== login.actorId) return null
  requireAccess(business.access, needs)
  return business
}
