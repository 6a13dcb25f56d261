import { Hono } from 'hono'
import { html } from 'hono/html'
import { parseForm, readText } from './form.ts'

export type AdminDeps = {
  /** Signs in; answers the cookies to set, or null when e-mail or password are wrong. */
  signIn(credentials: { email: string; password: string }, headers: Headers): Promise<string[] | null>
  signOut(headers: Headers): Promise<string[]>
  sessionOf(headers: Headers): Promise<{ userId: string } | null>
  /** The queue board, served under `/admin/queues`. */
  board: Hono
}

/** The console's entrance and the queue board behind it. */
export function createAdmin(deps: AdminDeps): Hono {
  const app = new Hono()

  app.get('/login', (c) => c.html(loginPage(false, safeTarget(c.req.query('next')))))

  app.post('/login', async (c) => {
    const form = parseForm(await readText(c.req.raw))
    const target = safeTarget(form.next)
    const cookies = await deps.signIn({ email: form.email ?? '', password: form.password ?? '' }, c.req.raw.headers)
    if (!cookies) return c.html(loginPage(true, target), 401)
    for (const cookie of cookies) c.header('Set-Cookie', cookie, { append: true })
    return c.redirect(target, 303)
  })

  app.post('/logout', async (c) => {
    for (const cookie of await deps.signOut(c.req.raw.headers)) c.header('Set-Cookie', cookie, { append: true })
    return c.redirect('/admin/login', 303)
  })

  app.use('*', async (c, next) => {
    if (await deps.sessionOf(c.req.raw.headers)) {
      await next()
      return
    }
    if (c.req.method === 'GET' && (c.req.header('accept') ?? '').includes('text/html'))
      return c.redirect(`/admin/login?next=${encodeURIComponent(c.req.path)}`, 302)
    return c.json({ success: false, error: { code: 'login_required', message: 'Log in at /admin/login.' } }, 401)
  })

  app.get('/', (c) => c.redirect('/admin/queues', 302))
  app.route('/queues', deps.board)
  return app
}

/** Only a path of our own may be the target of a redirect. */
function safeTarget(next: string | undefined): string {
  return next && /^\/admin(\/[\w/-]*)?$/.test(next) ? next : '/admin'
}

function loginPage(failed: boolean, next: string) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>AgentLocator: log in</title>
        <style>
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
          ${failed ? html`<p role="alert">E-mail or password is wrong.</p>` : ''}
          <input type="hidden" name="next" value="${next}" />
          <label>E-mail <input name="email" type="email" autocomplete="username" required autofocus /></label>
          <label>Password <input name="password" type="password" autocomplete="current-password" required /></label>
          <button type="submit">Log in</button>
        </form>
      </body>
    </html>`
}
