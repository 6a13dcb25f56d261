import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import { z } from 'zod'
import { refuseForeignOrigin } from '../access/origins.ts'
import type { DomainContext } from '../domain/context.ts'
import {
  acceptInvitation,
  acceptWithNewLogin,
  countAttempt,
  findInvitation,
  findLogin,
  findReset,
  getUser,
  type Language,
  type LinkDeps,
  normalizeEmail,
  type OpenInvitation,
  type PasswordDeps,
  requestPasswordReset,
  resetPassword,
  roleName,
} from '../domain/members/index.ts'
import { AppError } from '../lib/errors.ts'
import { cleanText, cutText } from '../lib/text.ts'
import { ACCOUNT_TEXTS, passwordProblem } from './account-texts.ts'
import { accountPage, emailField, passwordField } from './account-view.ts'
import { parseForm, readText } from './form-body.ts'

export type AccountPagesDeps = {
  ctx: DomainContext
  links: LinkDeps
  passwords: PasswordDeps
  publicBaseUrl: string
  /** Puts a question to the login service as the browser behind `from`; its cookies are handed on. */
  ask(path: string, body: Record<string, unknown>, from: Request): Promise<Response>
  sessionOf(headers: Headers): Promise<{ userId: string } | null>
  /** Whom an attempt is counted for. */
  clientOf(request: Request): string
}

const HEADERS = {
  // The address holds a token: it is kept nowhere, told to nobody, and the page loads nothing. `same-origin` and not
  // `no-referrer`, with which browsers would send the form with `Origin: null`.
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'same-origin',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex',
}

const PAGES = ['/invite/:token', '/reset/:token', '/forgot'] as const
const FORGOT_LIMIT = { max: 10, windowSeconds: 3_600 }
const FORGOT_MS = 400
const ACCEPT_LIMIT = { max: 20, windowSeconds: 900 }
const MAX_NAME = 120
const ACCEPTED_MEANWHILE = new Set(['invitation_not_found', 'login_exists'])

/** Pages for people who have no session yet: to accept an invitation, and to set a new password. */
export function createAccountPages(deps: AccountPagesDeps): Hono {
  const app = new Hono()
  for (const path of PAGES)
    app.use(path, async (c, next) => {
      if (c.req.method !== 'GET' && c.req.method !== 'HEAD') refuseForeignOrigin(c.req.raw, deps.publicBaseUrl)
      await next()
      for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value)
    })
  app.get('/invite/:token', async (c) => {
    const invitation = await findInvitation(deps.ctx, c.req.param('token'))
    if (!invitation) return gone(c)
    return c.html(
      invitationPage(languageOf(c, invitation.language), invitation, await invitedUser(deps, c, invitation)),
    )
  })
  app.post('/invite/:token', async (c) => {
    try {
      return await accept(deps, c, c.req.param('token'))
    } catch (error) {
      // Another request with the same link was faster.
      if (error instanceof AppError && ACCEPTED_MEANWHILE.has(error.code)) return await gone(c)
      throw error
    }
  })
  app.get('/reset/:token', async (c) => {
    const found = await findReset(deps.ctx, c.req.param('token'))
    return found ? c.html(resetPage(languageOf(c), found.email)) : gone(c)
  })
  app.post('/reset/:token', (c) => reset(deps, c, c.req.param('token')))
  app.get('/forgot', (c) => c.html(forgotPage(languageOf(c), deps.links.mailBox !== null)))
  app.post('/forgot', (c) => forgot(deps, c))
  return app
}

/** The person who is signed in, when it is the invited one. */
async function invitedUser(deps: AccountPagesDeps, c: Context, invitation: OpenInvitation) {
  const session = await deps.sessionOf(c.req.raw.headers)
  const user = session && (await getUser(deps.ctx, session.userId))
  return user && normalizeEmail(user.email) === invitation.email ? user : null
}

/**
 * Accepts as whoever is signed in as the invited address; or signs in there; or makes the login. Which of these it is shows
 * only to who gets it right: a link tells nobody whether an address has a login.
 */
async function accept(deps: AccountPagesDeps, c: Context, token: string): Promise<Response> {
  const invitation = await findInvitation(deps.ctx, token)
  if (!invitation) return gone(c)
  const language = languageOf(c, invitation.language)
  const texts = ACCOUNT_TEXTS[language]
  const form = parseForm(await readText(c.req.raw))
  const user = await invitedUser(deps, c, invitation)
  if (user && form.code === undefined) {
    await acceptInvitation(deps.ctx, token, user.id)
    return c.redirect(adminPath(deps), 303)
  }
  if (!(await countAttempt(deps.ctx, `invitation:${invitation.id}`, ACCEPT_LIMIT)))
    return c.html(invitationPage(language, invitation, null, { problem: texts.tooMany }), 429)
  if (form.code !== undefined) {
    const answer = await deps.ask('/two-factor/verify-totp', { code: form.code.trim() }, c.req.raw)
    return await finish(deps, c, token, answer, () =>
      c.html(codePage(language, answer.status === 429 ? texts.tooMany : texts.wrongCode), 401),
    )
  }
  const password = form.password ?? ''
  const name = cutText(cleanText(form.name ?? '').trim(), MAX_NAME) || (invitation.email.split('@')[0] ?? '')
  // Judged for everybody: the time that an answer takes tells no more than its words.
  const weak = await isWeak(deps, password, [invitation.email, name])
  if (!(await findLogin(deps.ctx, invitation.email))) {
    // An empty one is hashed as another: it is refused like any weak password, in the same time.
    const passwordHash = await deps.passwords.hash(password || 'empty')
    if (weak)
      return c.html(invitationPage(language, invitation, null, { problem: texts.wrongPassword, name: form.name }), 401)
    await acceptWithNewLogin(deps.ctx, token, { name, passwordHash })
    const answer = await deps.ask('/sign-in/email', { email: invitation.email, password }, c.req.raw)
    handOnCookies(c, answer)
    return c.redirect(answer.ok ? adminPath(deps) : `${adminPath(deps)}/login`, 303)
  }
  const answer = await deps.ask('/sign-in/email', { email: invitation.email, password }, c.req.raw)
  return await finish(deps, c, token, answer, () =>
    c.html(
      invitationPage(language, invitation, null, {
        problem: answer.status === 429 ? texts.tooMany : texts.wrongPassword,
        name: form.name,
      }),
      answer.status === 429 ? 429 : 401,
    ),
  )
}

async function isWeak(deps: AccountPagesDeps, password: string, about: string[]): Promise<boolean> {
  try {
    await deps.passwords.check(password, about)
    return false
  } catch (error) {
    if (error instanceof AppError && error.field === 'password') return true
    throw error
  }
}

const signedIn = z.object({
  twoFactorRedirect: z.boolean().optional(),
  user: z.object({ id: z.string() }).optional(),
})

/** Goes on by the login service's answer: refused, a second step, or signed in. */
async function finish(
  deps: AccountPagesDeps,
  c: Context,
  token: string,
  answer: Response,
  refused: () => Response | Promise<Response>,
): Promise<Response> {
  if (!answer.ok) return await refused()
  const { twoFactorRedirect, user } = signedIn.parse(await answer.json())
  handOnCookies(c, answer)
  if (twoFactorRedirect || !user) return c.html(codePage(languageOf(c)))
  await acceptInvitation(deps.ctx, token, user.id)
  return c.redirect(adminPath(deps), 303)
}

async function reset(deps: AccountPagesDeps, c: Context, token: string): Promise<Response> {
  const language = languageOf(c)
  const form = parseForm(await readText(c.req.raw))
  const found = await findReset(deps.ctx, token)
  if (!found) return gone(c)
  try {
    await resetPassword(deps.ctx, token, form.password ?? '', deps.passwords)
  } catch (error) {
    if (error instanceof AppError && error.code === 'reset_not_found') return gone(c)
    if (!(error instanceof AppError && error.field === 'password')) throw error
    return c.html(resetPage(language, found.email, passwordProblem(language, error.code)), 400)
  }
  const texts = ACCOUNT_TEXTS[language]
  return c.html(
    accountPage(language, {
      heading: texts.resetDone,
      content: html`<p><a href="../login">${texts.toLogin}</a></p>`,
      form: false,
    }),
  )
}

async function forgot(deps: AccountPagesDeps, c: Context): Promise<Response> {
  const language = languageOf(c)
  const texts = ACCOUNT_TEXTS[language]
  const mail = deps.links.mailBox !== null
  const form = parseForm(await readText(c.req.raw))
  const email = z
    .email()
    .max(254)
    .safeParse(normalizeEmail(form.email ?? ''))
  if (mail && !(await countAttempt(deps.ctx, `forgot:${deps.clientOf(c.req.raw)}`, FORGOT_LIMIT)))
    return c.html(forgotPage(language, mail, texts.tooMany), 429)
  // As long for every address, whether or not there is something to write and to send.
  const pause = Bun.sleep(FORGOT_MS)
  if (mail && email.success) await requestPasswordReset(deps.ctx, { email: email.data, language }, deps.links)
  await pause
  return c.html(accountPage(language, { heading: mail ? texts.forgotDone : texts.noMail, content: '', form: false }))
}

/** The console's path under the public address, which may have a path of its own. */
function adminPath({ publicBaseUrl }: AccountPagesDeps): string {
  return `${new URL(publicBaseUrl).pathname.replace(/\/+$/, '')}/admin`
}

function handOnCookies(c: Context, answer: Response): void {
  for (const cookie of answer.headers.getSetCookie()) c.header('Set-Cookie', cookie, { append: true })
}

/** What the reader chose; else what the page is about; else what the browser prefers. */
function languageOf(c: Context, usual?: Language): Language {
  const chosen = c.req.query('lang')
  if (chosen === 'he' || chosen === 'en') return chosen
  if (usual) return usual
  const first = /\b(he|iw|en)\b/i.exec(c.req.header('accept-language') ?? '')?.[1]?.toLowerCase()
  return first === 'he' || first === 'iw' ? 'he' : 'en'
}

function gone(c: Context): Response | Promise<Response> {
  const language = languageOf(c)
  const texts = ACCOUNT_TEXTS[language]
  return c.html(
    accountPage(language, { heading: texts.gone, content: html`<p>${texts.goneHint}</p>`, form: false }),
    410,
  )
}

function invitationPage(
  language: Language,
  invitation: OpenInvitation,
  user: { name: string } | null,
  more: { problem?: string; name?: string | undefined } = {},
) {
  const texts = ACCOUNT_TEXTS[language]
  const content = user
    ? html`${emailField(language, invitation.email)} <button type="submit">${texts.acceptAs(user.name)}</button>`
    : html`${emailField(language, invitation.email)}
        <label
          >${texts.name} <input name="name" autocomplete="name" maxlength="${MAX_NAME}" value="${more.name ?? ''}" />
          <small>${texts.nameHint}</small></label
        >
        ${passwordField(texts.password, texts.passwordHint, 'current-password')}
        <button type="submit">${texts.accept}</button>`
  return accountPage(language, {
    heading: texts.invited(invitation.businessName, roleName(language, invitation.role)),
    problem: more.problem,
    content,
  })
}

function codePage(language: Language, problem?: string) {
  const texts = ACCOUNT_TEXTS[language]
  return accountPage(language, {
    heading: texts.title,
    problem,
    content: html`<label
        >${texts.code}
        <input name="code" dir="ltr" inputmode="numeric" autocomplete="one-time-code" required autofocus /></label
      ><button type="submit">${texts.accept}</button>`,
  })
}

function resetPage(language: Language, email: string, problem?: string) {
  const texts = ACCOUNT_TEXTS[language]
  return accountPage(language, {
    heading: texts.resetFor(email),
    problem,
    content: html`${emailField(language, email)} ${passwordField(texts.newPassword, texts.rules, 'new-password')}
      <button type="submit">${texts.save}</button>`,
  })
}

function forgotPage(language: Language, mail: boolean, problem?: string) {
  const texts = ACCOUNT_TEXTS[language]
  if (!mail) return accountPage(language, { heading: texts.noMail, content: '', form: false })
  return accountPage(language, {
    heading: texts.forgot,
    problem,
    content: html`<p>${texts.forgotHint}</p>
      <label
        >${texts.email}
        <input name="email" type="email" dir="ltr" autocomplete="username" required autofocus /></label
      ><button type="submit">${texts.send}</button>`,
  })
}
