import type { Context } from 'hono'
import { z } from 'zod'
import {
  acceptInvitation,
  acceptWithNewLogin,
  countAttempt,
  findInvitation,
  findLogin,
  getUser,
  normalizeEmail,
  type OpenInvitation,
} from '../../domain/members/index.ts'
import { AppError } from '../../lib/errors.ts'
import { cleanText, cutText } from '../../lib/text.ts'
import { parseForm, readText } from '../form-body.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import { type AccountPagesDeps, askForCode, passCookies, sendGone } from './context.ts'
import { ACCOUNT_TEXTS } from './texts.ts'
import { codePage, invitationPage, MAX_NAME } from './view.tsx'

const ACCEPT_LIMIT = { max: 20, windowSeconds: 900 }
/** Errors of a request that lost a race against another one with the same link. */
const ALREADY_ACCEPTED = new Set(['invitation_not_found', 'login_exists'])

const signInAnswer = z.object({
  twoFactorRedirect: z.boolean().optional(),
  user: z.object({ id: z.string() }).optional(),
})

type Accepting = { c: Context; deps: AccountPagesDeps; token: string; invitation: OpenInvitation }

export async function showInvitation(c: Context, token: string, deps: AccountPagesDeps): Promise<Response> {
  const invitation = await findInvitation(deps.ctx, token)
  if (!invitation) return sendGone(c)
  const user = await invitedUser(c, deps, invitation)
  return sendPage(c, invitationPage(languageOf(c, invitation.language), invitation, user))
}

export async function acceptInvitationForm(c: Context, token: string, deps: AccountPagesDeps): Promise<Response> {
  try {
    const invitation = await findInvitation(deps.ctx, token)
    return invitation ? await accept({ c, deps, token, invitation }) : await sendGone(c)
  } catch (error) {
    if (error instanceof AppError && ALREADY_ACCEPTED.has(error.code)) return await sendGone(c)
    throw error
  }
}

async function invitedUser(c: Context, deps: AccountPagesDeps, invitation: OpenInvitation) {
  const session = await deps.sessionOf(c.req.raw.headers)
  const user = session && (await getUser(deps.ctx, session.userId))
  return user && normalizeEmail(user.email) === invitation.email ? user : null
}

/** Accepts as the signed-in user, by a one-time code, or by a password: three steps of one form. */
async function accept(accepting: Accepting): Promise<Response> {
  const { c, deps, token, invitation } = accepting
  const form = parseForm(await readText(c.req.raw))
  const user = await invitedUser(c, deps, invitation)
  if (user && form.code === undefined) {
    await acceptInvitation(deps.ctx, token, user.id)
    return c.redirect(adminPath(deps), 303)
  }
  if (!(await countAttempt(deps.ctx, `invitation:${invitation.id}`, ACCEPT_LIMIT))) return refuse(accepting, 'tooMany')
  if (form.code === undefined) return await acceptByPassword(accepting, form.password ?? '', form.name)
  const answer = await askForCode(deps.ask, form.code, c.req.raw)
  if (answer.ok) return await finish(accepting, answer)
  const language = languageOf(c, invitation.language)
  const { tooMany, wrongCode } = ACCOUNT_TEXTS[language]
  return sendPage(c, codePage(language, answer.status === 429 ? tooMany : wrongCode), { status: 401 })
}

/** Signs in or creates the login, with equal time and errors: the link must not show whether a login exists. */
async function acceptByPassword(accepting: Accepting, password: string, givenName = ''): Promise<Response> {
  const { c, deps, token, invitation } = accepting
  const { email } = invitation
  const name = cutText(cleanText(givenName).trim(), MAX_NAME) || (email.split('@')[0] ?? '')
  const weak = await isWeak(deps, password, [email, name])
  const signIn = () => deps.ask('/sign-in/email', { email, password }, c.req.raw)
  if (await findLogin(deps.ctx, email)) {
    const answer = await signIn()
    if (answer.ok) return await finish(accepting, answer)
    return refuse(accepting, answer.status === 429 ? 'tooMany' : 'wrongPassword', givenName)
  }
  // An empty password is hashed too, and takes as long as any other.
  const passwordHash = await deps.passwords.hash(password || 'empty')
  if (weak) return refuse(accepting, 'wrongPassword', givenName)
  await acceptWithNewLogin(deps.ctx, token, { name, passwordHash })
  const answer = await signIn()
  passCookies(c, answer)
  return c.redirect(answer.ok ? adminPath(deps) : `${adminPath(deps)}/login`, 303)
}

async function finish({ c, deps, token }: Accepting, answer: Response): Promise<Response> {
  const { twoFactorRedirect, user } = signInAnswer.parse(await answer.json())
  passCookies(c, answer)
  if (twoFactorRedirect || !user) return sendPage(c, codePage(languageOf(c)))
  await acceptInvitation(deps.ctx, token, user.id)
  return c.redirect(adminPath(deps), 303)
}

function refuse({ c, invitation }: Accepting, problem: 'tooMany' | 'wrongPassword', name?: string) {
  const language = languageOf(c, invitation.language)
  const page = invitationPage(language, invitation, null, { problem: ACCOUNT_TEXTS[language][problem], name })
  return sendPage(c, page, { status: problem === 'tooMany' ? 429 : 401 })
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

/** The path of the console; the public address may have a path of its own. */
function adminPath({ publicBaseUrl }: AccountPagesDeps): string {
  return `${new URL(publicBaseUrl).pathname.replace(/\/+$/, '')}/admin`
}
