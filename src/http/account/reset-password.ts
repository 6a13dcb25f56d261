import type { Context } from 'hono'
import { z } from 'zod'
import {
  countAttempt,
  findReset,
  normalizeEmail,
  requestPasswordReset,
  resetPassword,
} from '../../domain/members/index.ts'
import { AppError } from '../../lib/errors.ts'
import { parseForm, readText } from '../form-body.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import { type AccountPagesDeps, sendGone } from './context.ts'
import { ACCOUNT_TEXTS, passwordProblem } from './texts.ts'
import { forgotPage, noticePage, resetDonePage, resetPage } from './view.tsx'

const FORGOT_LIMIT = { max: 10, windowSeconds: 3_600 }
const FORGOT_MS = 400

const emailField = z.email().max(254)

export async function showReset(c: Context, token: string, deps: AccountPagesDeps): Promise<Response> {
  const found = await findReset(deps.ctx, token)
  return found ? sendPage(c, resetPage(languageOf(c), found.email)) : sendGone(c)
}

export async function resetForm(c: Context, token: string, deps: AccountPagesDeps): Promise<Response> {
  const language = languageOf(c)
  const form = parseForm(await readText(c.req.raw))
  const found = await findReset(deps.ctx, token)
  if (!found) return sendGone(c)
  try {
    await resetPassword(deps.ctx, token, form.password ?? '', deps.passwords)
  } catch (error) {
    if (error instanceof AppError && error.code === 'reset_not_found') return sendGone(c)
    if (!(error instanceof AppError && error.field === 'password')) throw error
    return sendPage(c, resetPage(language, found.email, passwordProblem(language, error.code)), { status: 400 })
  }
  return sendPage(c, resetDonePage(language))
}

export function showForgot(c: Context, deps: AccountPagesDeps): Response | Promise<Response> {
  return sendPage(c, forgotPage(languageOf(c), deps.links.mailBox !== null))
}

export async function requestResetForm(c: Context, deps: AccountPagesDeps): Promise<Response> {
  const language = languageOf(c)
  const texts = ACCOUNT_TEXTS[language]
  const hasMail = deps.links.mailBox !== null
  const form = parseForm(await readText(c.req.raw))
  const email = emailField.safeParse(normalizeEmail(form.email ?? ''))
  if (hasMail && !(await countAttempt(deps.ctx, `forgot:${deps.clientOf(c.req.raw)}`, FORGOT_LIMIT)))
    return sendPage(c, forgotPage(language, hasMail, texts.tooMany), { status: 429 })
  const pause = Bun.sleep(FORGOT_MS)
  if (hasMail && email.success) await requestPasswordReset(deps.ctx, { email: email.data, language }, deps.links)
  await pause
  return sendPage(c, noticePage(language, hasMail ? texts.forgotDone : texts.noMail))
}
