import type { Context } from 'hono'
import type { DomainContext } from '../../domain/context.ts'
import type { Language, LinkDeps, PasswordDeps } from '../../domain/members/index.ts'
import { sendPage } from '../html-page.tsx'
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

/** The language that the reader chose; else `usual`; else what the browser prefers. */
export function languageOf(c: Context, usual?: Language): Language {
  const chosen = c.req.query('lang')
  if (chosen === 'he' || chosen === 'en') return chosen
  if (usual) return usual
  const first = /\b(he|iw|en)\b/i.exec(c.req.header('accept-language') ?? '')?.[1]?.toLowerCase()
  return first === 'he' || first === 'iw' ? 'he' : 'en'
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
