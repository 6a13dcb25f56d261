import { Hono } from 'hono'
import { z } from 'zod'
import { refuseForeignOrigin } from '../../access/origins.ts'
import { parseForm, readText } from '../form-body.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import { type AskLogin, askForCode, passCookies } from './context.ts'
import { ACCOUNT_TEXTS } from './texts.ts'
import { loginPage } from './view.tsx'

export type AdminDeps = {
  ask: AskLogin
  publicBaseUrl: string
  board: Hono
}

const signInAnswer = z.object({ twoFactorRedirect: z.boolean().optional() })

export function createAdmin(deps: AdminDeps): Hono {
  const app = new Hono()

  app.use('*', async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') refuseForeignOrigin(c.req.raw, deps.publicBaseUrl)
    await next()
  })

  app.get('/login', (c) => sendPage(c, loginPage(languageOf(c), { next: safeTarget(c.req.query('next')) })))

  app.post('/login', async (c) => {
    const form = parseForm(await readText(c.req.raw))
    const next = safeTarget(form.next)
    const step = form.code === undefined ? 'password' : 'code'
    const answer =
      step === 'password'
        ? await deps.ask('/sign-in/email', { email: form.email ?? '', password: form.password ?? '' }, c.req.raw)
        : await askForCode(deps.ask, form.code ?? '', c.req.raw)
    const language = languageOf(c)
    const texts = ACCOUNT_TEXTS[language]
    if (answer.status === 429)
      return sendPage(c, loginPage(language, { next, step, problem: texts.tooMany }), { status: 429 })
    if (!answer.ok) {
      const problem = step === 'password' ? texts.wrongLogin : texts.wrongCode
      return sendPage(c, loginPage(language, { next, step, problem }), { status: 401 })
    }
    passCookies(c, answer)
    const { twoFactorRedirect } = signInAnswer.parse(await answer.json())
    return twoFactorRedirect ? sendPage(c, loginPage(language, { next, step: 'code' })) : c.redirect(next, 303)
  })

  app.post('/logout', async (c) => {
    passCookies(c, await deps.ask('/sign-out', {}, c.req.raw))
    return c.redirect('/admin/login', 303)
  })

  app.get('/', (c) => c.redirect('/console', 302))
  app.route('/queues', deps.board)
  return app
}

/** An address of our own pages; any other is replaced, so that the login leads nowhere else. */
function safeTarget(next: string | undefined): string {
  return next && /^(\/admin(\/[\w/-]*)?|\/console(\/[\w/-]*)?(\?[\w=&%.~+-]*)?|\/api\/docs)$/.test(next)
    ? next
    : '/admin'
}
