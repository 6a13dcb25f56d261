import type { Context } from 'hono'
import type { DomainContext } from '../../domain/context.ts'
import type { LinkDeps, PasswordDeps } from '../../domain/members/index.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import { ACCOUNT_TEXTS } from './texts.ts'
import { noticePage } from './view.tsx'

export type AskLogin = (path: string, body: Record<string, unknown>, from: Request) => Promise<Response>

export type AccountPagesDeps = {
  ctx: DomainContext
  links: LinkDeps
  passwords: PasswordDeps
  publicBaseUrl: string
  ask: AskLogin
  sessionOf(headers: Headers): Promise<{ userId: string } | null>
  clientOf(request: Request): string
}

/** Checks the second factor: a one-time code of six digits, or a recovery code. */
export function askForCode(ask: AskLogin, code: string, from: Request): Promise<Response> {
  const typed = code.trim()
  const path = /^\d{6}$/.test(typed) ? '/two-factor/verify-totp' : '/two-factor/verify-backup-code'
  return ask(path, { code: typed }, from)
}

export function sendGone(c: Context): Response | Promise<Response> {
  const language = languageOf(c)
  const { gone, goneHint } = ACCOUNT_TEXTS[language]
  return sendPage(c, noticePage(language, gone, goneHint), { status: 410 })
}

export function passCookies(c: Context, answer: Response): void {
  for (const cookie of answer.headers.getSetCookie()) c.header('Set-Cookie', cookie, { append: true })
}
