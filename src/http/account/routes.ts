import { Hono } from 'hono'
import { refuseForeignOrigin } from '../../access/origins.ts'
import type { AccountPagesDeps } from './context.ts'
import { acceptInvitationForm, showInvitation } from './invitation.ts'
import { requestResetForm, resetForm, showForgot, showReset } from './reset-password.ts'

const PAGES = ['/invite/:token', '/reset/:token', '/forgot'] as const

export function createAccountPages(deps: AccountPagesDeps): Hono {
  const app = new Hono()
  for (const path of PAGES)
    app.use(path, async (c, next) => {
      if (c.req.method !== 'GET' && c.req.method !== 'HEAD') refuseForeignOrigin(c.req.raw, deps.publicBaseUrl)
      await next()
    })
  app.get('/invite/:token', (c) => showInvitation(c, c.req.param('token'), deps))
  app.post('/invite/:token', (c) => acceptInvitationForm(c, c.req.param('token'), deps))
  app.get('/reset/:token', (c) => showReset(c, c.req.param('token'), deps))
  app.post('/reset/:token', (c) => resetForm(c, c.req.param('token'), deps))
  app.get('/forgot', (c) => showForgot(c, deps))
  app.post('/forgot', (c) => requestResetForm(c, deps))
  return app
}
