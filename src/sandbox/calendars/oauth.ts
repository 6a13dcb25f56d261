import { createHash, randomBytes } from 'node:crypto'
import { html } from 'hono/html'
import { SANDBOX_CALENDAR_CLIENT, type VendorState } from './state.ts'

/** The page at which the owner lets the product in, and its answer (RFC 6749, section 4.1). */
export async function authorizePage(state: VendorState, request: Request, url: URL): Promise<Response> {
  const redirectUri = url.searchParams.get('redirect_uri') ?? ''
  const challenge = url.searchParams.get('code_challenge') ?? ''
  const isRight = url.searchParams.get('client_id') === SANDBOX_CALENDAR_CLIENT.id && URL.canParse(redirectUri)
  if (!isRight || !challenge || url.searchParams.get('code_challenge_method') !== 'S256')
    return new Response('The client is unknown, or PKCE is missing.', { status: 400 })
  if (request.method !== 'POST') return consentPage(state)
  const back = new URL(redirectUri)
  back.searchParams.set('state', url.searchParams.get('state') ?? '')
  if (new URLSearchParams(await request.text()).get('decision') === 'connect') {
    const code = `code-${randomBytes(12).toString('hex')}`
    state.codes.set(code, { challenge, redirectUri })
    back.searchParams.set('code', code)
  } else back.searchParams.set('error', 'access_denied')
  return new Response(null, { status: 303, headers: { location: back.href } })
}

function consentPage({ vendor, account }: VendorState): Response {
  const name = vendor === 'google' ? 'Google' : 'Microsoft'
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${name} (sandbox)</title>
      </head>
      <body>
        <main>
          <h1>${name} (sandbox)</h1>
          <p>${account}: let the product read and write your calendars?</p>
          <form method="post">
            <button name="decision" value="connect">Connect</button>
            <button name="decision" value="cancel">Cancel</button>
          </form>
        </main>
      </body>
    </html>`
  return new Response(String(page), { headers: { 'content-type': 'text/html; charset=utf-8' } })
}

/** A code or a refresh token for tokens. Microsoft gives a new refresh token each time, and takes the old one no more. */
export async function giveToken(state: VendorState, request: Request): Promise<Response> {
  const form = new URLSearchParams(await request.text())
  const refuse = (error: string) => Response.json({ error }, { status: 400 })
  if (
    form.get('client_id') !== SANDBOX_CALENDAR_CLIENT.id ||
    form.get('client_secret') !== SANDBOX_CALENDAR_CLIENT.secret
  )
    return Response.json({ error: 'invalid_client' }, { status: 401 })
  if (form.get('grant_type') === 'authorization_code') {
    const known = state.codes.get(form.get('code') ?? '')
    state.codes.delete(form.get('code') ?? '')
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (known?.challenge !== challenge || known.redirectUri !== form.get('redirect_uri')) return refuse('invalid_grant')
    const tokens = state.newTokens()
    return Response.json({
      access_token: tokens.access,
      refresh_token: tokens.refresh,
      expires_in: 3_600,
      token_type: 'Bearer',
    })
  }
  const given = form.get('refresh_token') ?? ''
  if (form.get('grant_type') !== 'refresh_token' || !state.refresh.has(given)) return refuse('invalid_grant')
  const tokens = state.newTokens()
  if (state.vendor === 'google') state.refresh.delete(tokens.refresh)
  else state.refresh.delete(given)
  const fresh = state.vendor === 'google' ? {} : { refresh_token: tokens.refresh }
  return Response.json({ access_token: tokens.access, expires_in: 3_600, token_type: 'Bearer', ...fresh })
}

/** Whether the request has an access token that holds. */
export function isAuthorized(state: VendorState, request: Request): boolean {
  const token = (request.headers.get('authorization') ?? '').replace(/^Bearer /, '')
  return (state.access.get(token) ?? 0) > Date.now()
}
