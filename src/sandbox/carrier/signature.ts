import { createHmac } from 'node:crypto'

/** Form parameters of a request; a repeated name carries all its values. */
export type FormParams = Readonly<Record<string, string | readonly string[]>>

/**
 * The `X-Twilio-Signature` of a request: base64 HMAC-SHA1 over the exact URL followed by every form parameter, sorted by name,
 * as name and value without separators; a repeated name counts once per distinct value, sorted.
 * @param authToken the account's primary auth token
 * @param url the URL as the receiver knows it, query string included, fragment excluded
 * @param params form fields of a POST; leave out for a GET or a WebSocket upgrade
 */
export function signTwilioRequest(authToken: string, url: string, params: FormParams = {}): string {
  let text = url
  for (const name of Object.keys(params).sort()) {
    const value = params[name]
    if (value === undefined) continue
    const values = typeof value === 'string' ? [value] : [...new Set(value)].sort()
    for (const each of values) text += name + each
  }
  return createHmac('sha1', authToken).update(text, 'utf8').digest('base64')
}

/**
 * The form of a URL that Twilio signs: no fragment (connection overrides are there), no user and password, and no port for
 * voice requests over HTTPS. A `wss` URL is signed as the TwiML has it.
 */
export function signableUrl(url: string, kind: 'voice' | 'messaging' | 'stream' = 'voice'): string {
  const match = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)([^#]*)/i.exec(url)
  if (!match) return url
  const [, scheme = '', authority = '', rest = ''] = match
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const dropPort = kind === 'voice' && scheme.toLowerCase() === 'https://'
  return scheme + (dropPort ? host.replace(/:\d+$/, '') : host) + rest
}
