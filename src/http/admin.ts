import { randomBytes } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import { z } from 'zod'
import { refuseForeignOrigin } from '../access/origins.ts'
import { parseForm, readText } from './form-body.ts'

export type AdminDeps = {
  /** Puts a question to the login service as the browser behind `from`; its cookies are handed on. */
  ask(path: string, body: Record<string, unknown>, from: Request): Promise<Response>
  publicBaseUrl: string
  /** The queue board, served under `/admin/queues`. */
  board: Hono
}

/** The console's entrance and the queue board behind it. */
export function createAdmin(deps: AdminDeps): Hono {
  const app = new Hono()

  app.use('*', async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') refuseForeignOrigin(c.req.raw, deps.publicBaseUrl)
    await next()
  })

  app.get('/login', (c) => page(c, { next: safeTarget(c.req.query('next')) }))

  app.post('/login', async (c) => {
    const form = parseForm(await readText(c.req.raw))
    const next = safeTarget(form.next)
    const step = form.code === undefined ? 'password' : 'code'
    const answer =
      step === 'password'
        ? await deps.ask('/sign-in/email', { email: form.email ?? '', password: form.password ?? '' }, c.req.raw)
        : await deps.ask('/two-factor/verify-totp', { code: form.code?.trim() ?? '' }, c.req.raw)
    if (answer.status === 429) return page(c, { next, step, problem: TOO_MANY }, 429)
    if (!answer.ok) return page(c, { next, step, problem: WRONG[step] }, 401)
    for (const cookie of answer.headers.getSetCookie()) c.header('Set-Cookie', cookie, { append: true })
    const { twoFactorRedirect } = signInAnswer.parse(await answer.json())
    return twoFactorRedirect ? page(c, { next, step: 'code' }) : c.redirect(next, 303)
  })

  app.post('/logout', async (c) => {
    const answer = await deps.ask('/sign-out', {}, c.req.raw)
    for (const cookie of answer.headers.getSetCookie()) c.header('Set-Cookie', cookie, { append: true })
    return c.redirect('/admin/login', 303)
  })

  app.get('/', (c) => c.redirect('/console', 302))
  app.route('/queues', deps.board)
  return app
}

const signInAnswer = z.object({ twoFactorRedirect: z.boolean().optional() })
const TOO_MANY = 'Too many attempts; try again in a quarter of an hour.'
const WRONG = { password: 'E-mail or password is wrong.', code: 'The code is wrong.' }

/** Only a path of our own may be the target of a redirect. */
function safeTarget(next: string | undefined): string {
  return next && /^(\/admin(\/[\w/-]*)?|\/console(\/[\w/-]*)?|\/api\/docs)$/.test(next) ? next : '/admin'
}

/** The page with a policy that lets in its own style and its own form, nothing else. */
function page(c: Context, view: Omit<Parameters<typeof loginPage>[0], 'nonce'>, status: 200 | 401 | 429 = 200) {
  const nonce = randomBytes(16).toString('base64')
  c.header(
    'Content-Security-Policy',
    `default-src 'none'; style-src 'nonce-${nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  )
  return c.html(loginPage({ ...view, nonce }), status)
}

function loginPage({
  next,
  step = 'password',
  problem,
  nonce,
}: {
  next: string
  step?: 'password' | 'code'
  problem?: string
  nonce: string
}) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>AgentLocator: log in</title>
        <style nonce="${nonce}">
          :root { color-scheme: light dark; font-family: system-ui, sans-serif; }
          body { display: grid; place-items: center; min-height: 100vh; margin: 0; background: light-dark(#f4f5f7, #15171a); }
          form { display: grid; gap: 1rem; width: min(22rem, 90vw); padding: 2rem; border-radius: 12px;
            background: light-dark(#fff, #1f2226); box-shadow: 0 8px 30px rgb(0 0 0 / 12%); }
          h1 { margin: 0; font-size: 1.25rem; }
          label { display: grid; gap: 0.35rem; font-size: 0.9rem; }
          input { padding: 0.6rem 0.7rem; font: inherit; border: 1px solid light-dark(#c9ccd1, #44484d); border-radius: 8px;
            background: transparent; color: inherit; }
          button { padding: 0.65rem; font: inherit; font-weight: 600; border: 0; border-radius: 8px; background: #1a6b4a; color: #fff; }
          p[role='alert'] { margin: 0; color: light-dark(#b42318, #ff8a80); font-size: 0.9rem; }
        </style>
      </head>
      <body>
        <form method="post" action="/admin/login">
          <h1>AgentLocator</h1>
          ${problem ? html`<p role="alert">${problem}</p>` : ''}
          <input type="hidden" name="next" value="${next}" />
          ${
            step === 'code'
              ? html`<label>One-time code <input name="code" inputmode="numeric" autocomplete="one-time-code" required autofocus /></label>`
              : html`<label>E-mail <input name="email" type="email" autocomplete="username" required autofocus /></label>
                  <label>Password <input name="password" type="password" autocomplete="current-password" required /></label>`
          }
          <button type="submit">Log in</button>
          ${step === 'password' ? html`<a href="forgot">Forgot your password?</a>` : ''}
        </form>
      </body>
    </html>`
}
