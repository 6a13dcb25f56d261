import type { Context, Hono, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { RouterRoute } from 'hono/types'
import { type AccessContext, businessOf, businessParameter, type PrincipalDeps } from '../access/authenticate.ts'
import type { KeyLimit } from '../access/key-limit.ts'
import { refuseForeignOrigin } from '../access/origins.ts'
import { PREFIXES, permissionOf, ROUTES, type Rule } from '../access/permissions.ts'
import { requireAccess } from '../access/require-access.ts'
import { AppError, toAppError } from '../lib/errors.ts'

export type GuardDeps = {
  app: { router: Hono['router'] }
  principal: PrincipalDeps
  keyLimit: KeyLimit
  rules: Readonly<Record<string, Rule>>
  isOperator(userId: string): Promise<boolean>
  mayOperate(request: Request): Promise<boolean>
}

export type GuardEnv = {
  Variables: { business?: AccessContext; route: string; limitHeaders?: Record<string, string> }
}

const MAX_BATCH = 20
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
/** After a longer request, access is checked again before the answer is sent. */
const STALE_MS = 5_000

/** Before every route: applies its rule before the body is read; 404 without a rule, 405 for a wrong method. */
export function createGuard(deps: GuardDeps): MiddlewareHandler<GuardEnv> {
  return async (c, next) => {
    const route = matchedRoutes(c).find(isHandler)
    const rule = route ? ruleOf(route.method, route.path, deps.rules) : null
    if (!route || !rule) {
      c.set('route', 'other')
      throw route ? notFound(c) : noRoute(c, deps.app)
    }
    c.set('route', labelOf(route.path))
    const startedAt = performance.now()
    const answered = await admit(c, rule, deps)
    if (answered) return answered
    refuseEncodedBody(c.req.raw)
    await next()
    for (const [name, value] of Object.entries(c.get('limitHeaders') ?? {})) c.res.headers.set(name, value)
    if ('business' in c.var && performance.now() - startedAt > STALE_MS) await admitAgain(c, rule, deps)
  }
}

/** Bodies are never decompressed. @throws AppError `encoded_body` */
function refuseEncodedBody(request: Request): void {
  const encoding = request.headers.get('content-encoding')?.trim() ?? ''
  if (encoding === '' || encoding.toLowerCase() === 'identity') return
  throw new AppError(
    'unsupported_media',
    'encoded_body',
    'Compressed bodies are not supported. Send the body without Content-Encoding.',
  )
}

/** Whether a registered route answers requests; middleware takes a second argument, `next`. */
export function isHandler({ method, handler }: RouterRoute): boolean {
  return method !== 'ALL' || handler.length < 2
}

export function ruleOf(method: string, path: string, more: Readonly<Record<string, Rule>> = {}): Rule | null {
  const key = `${method} ${path}`
  for (const table of [ROUTES, more]) if (Object.hasOwn(table, key)) return table[key] ?? null
  const prefix = prefixOf(path)
  return prefix ? (PREFIXES[prefix] ?? null) : null
}

function prefixOf(path: string): string | undefined {
  return Object.keys(PREFIXES).find((prefix) => path === prefix || path.startsWith(`${prefix}/`))
}

function labelOf(path: string): string {
  const prefix = prefixOf(path)
  return prefix ? `${prefix}/*` : path
}

async function admit(c: Context<GuardEnv>, rule: Rule, deps: GuardDeps): Promise<Response | null> {
  const request = c.req.raw
  switch (rule.access) {
    case 'public':
      return null
    case 'business':
    case 'procedures': {
      if (await needsLoginPage(c, deps)) return toLogin(c)
      const business = await businessOf(request, deps.principal, chosenFor(rule, c))
      const calls = rule.access === 'procedures' ? calledProcedures(c.req.path) : null
      deps.keyLimit.take(business.actor, Math.min(calls?.length ?? 1, MAX_BATCH), limitHeaders(c))
      if (rule.access === 'business') requireAccess(business.access, rule.needs)
      else requireAnyCall(business, calls ?? [])
      c.set('business', business)
      return null
    }
    case 'operations':
      if (await deps.mayOperate(request)) return null
      throw request.headers.has('authorization')
        ? new AppError(
            'forbidden',
            'operator_only',
            'This key may not read the state of the installation. Send METRICS_TOKEN or an operator key.',
          )
        : new AppError(
            'unauthenticated',
            'api_key_required',
            'A token is required. Send METRICS_TOKEN or an operator key: Authorization: Bearer <key>.',
          )
    case 'console':
      return admitToConsole(c, rule.operator, deps)
  }
}

/** Headers of the rate limit: at once on an error, and on the response of the handler when there is one. */
function limitHeaders(c: Context<GuardEnv>) {
  const headers: Record<string, string> = {}
  c.set('limitHeaders', headers)
  return (name: string, value: string) => {
    headers[name] = value
    c.header(name, value)
  }
}

export function calledProcedures(path: string): string[] {
  return decodeURIComponent(path.slice('/trpc/'.length)).split(',')
}

/** Refuses a batch whose every call is refused; in any other batch each call has its own answer. */
function requireAnyCall(business: AccessContext, calls: string[]): void {
  if (calls.length > MAX_BATCH)
    throw new AppError('invalid', 'too_many_calls', `The batch has more than ${MAX_BATCH} calls. Send it in parts.`)
  const refusals = calls.map((call) => {
    const needs = permissionOf(call)
    if (!needs)
      return new AppError(
        'not_found',
        'procedure_not_found',
        `There is no procedure ${call.slice(0, 100)}. Check its path.`,
      )
    try {
      requireAccess(business.access, needs)
      return null
    } catch (error) {
      return toAppError(error)
    }
  })
  const [first] = refusals
  if (first && !refusals.includes(null)) throw first
}

async function admitToConsole(c: Context<GuardEnv>, operator: boolean, deps: GuardDeps): Promise<Response | null> {
  const { method, path } = c.req
  if (method !== 'GET' && method !== 'HEAD') refuseForeignOrigin(c.req.raw, deps.principal.publicBaseUrl)
  const session = await deps.principal.sessionOf(c.req.raw.headers)
  if (!session) {
    if (method === 'GET' && path.startsWith('/admin') && wantsPage(c)) return toLogin(c)
    throw new AppError('unauthenticated', 'login_required', 'A login is required. Log in at /admin/login.')
  }
  if (operator && !(await deps.isOperator(session.userId)))
    throw new AppError(
      'forbidden',
      'operator_only',
      'Only an owner of the first business may open this. Log in as one.',
    )
  return null
}

const API_PAGES = new Set(['/api/docs'])

/** Whether a browser without a login opens a page of the API; a client with a wrong key gets an error instead. */
async function needsLoginPage(c: Context<GuardEnv>, { principal }: GuardDeps): Promise<boolean> {
  if (c.req.method !== 'GET' || !API_PAGES.has(c.req.path) || !wantsPage(c) || c.req.header('authorization'))
    return false
  try {
    await businessOf(c.req.raw, principal, chosenBusiness(c))
    return false
  } catch (error) {
    if (toAppError(error).kind === 'unauthenticated') return true
    throw error
  }
}

function wantsPage(c: Context): boolean {
  return (c.req.header('accept') ?? '').includes('text/html')
}

function toLogin(c: Context): Response {
  return c.redirect(`/admin/login?next=${encodeURIComponent(c.req.path)}`, 302)
}

/** Access may have been revoked during a long request, such as one that waited for a message. */
async function admitAgain(c: Context<GuardEnv>, rule: Rule, deps: GuardDeps): Promise<void> {
  const before = c.get('business')
  if (!before || rule.access !== 'business') return
  const again = await businessOf(c.req.raw, deps.principal, chosenFor(rule, c))
  if (again.businessId !== before.businessId) throw notFound(c)
  requireAccess(again.access, rule.needs)
}

function chosenFor(rule: Rule, c: Context): string | null {
  return rule.access === 'business' && rule.byAddress ? businessParameter(c.req.raw) : chosenBusiness(c)
}

/** The business in tRPC's connection parameters: a browser's EventSource cannot set a header. */
export function chosenBusiness(c: Context): string | null {
  const text = c.req.query('connectionParams')
  if (!text || text.length > 1_000) return null
  try {
    const params: unknown = JSON.parse(text)
    const id: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, 'businessId') : null
    return typeof id === 'string' ? id : null
  } catch {
    return null
  }
}

function noRoute(c: Context, app: GuardDeps['app']): AppError {
  const allowed = METHODS.filter((method) =>
    app.router.match(method, c.req.path)[0].some(([[, route]]) => isHandler(route)),
  )
  if (allowed.length === 0) return notFound(c)
  c.header('Allow', allowed.join(', '))
  return new AppError(
    'method_not_allowed',
    'method_not_allowed',
    `The address does not support ${c.req.method.slice(0, 20)}. Use ${allowed.join(' or ')}.`,
  )
}

function notFound(c: Context): AppError {
  return new AppError(
    'not_found',
    'not_found',
    `There is no resource at ${c.req.path.slice(0, 200)}. Check the address.`,
  )
}
