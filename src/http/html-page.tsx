/** @jsxImportSource hono/jsx */
import { randomBytes } from 'node:crypto'
import type { Context } from 'hono'
import { raw } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { FONTS } from './page-look.ts'

/** A server-rendered page without a script. Its style is trusted CSS; every other text is escaped. */
export type HtmlPage = {
  language: 'he' | 'en'
  title: string
  style: string
  head?: Child
  body: Child
}

export function htmlDocument({ language, title, style, head, body }: HtmlPage, nonce: string) {
  return (
    <>
      {raw('<!doctype html>')}
      <html lang={language} dir={language === 'he' ? 'rtl' : 'ltr'}>
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="robots" content="noindex, nofollow" />
          {head}
          <title>{title}</title>
          <link rel="stylesheet" href={FONTS} />
          <style nonce={nonce}>{raw(style)}</style>
        </head>
        <body>{body}</body>
      </html>
    </>
  )
}

/**
 * Sends a page with its own style and forms only. `formAction`: false if it redirects elsewhere, which browsers check too.
 */
export function sendPage(
  c: Context,
  page: HtmlPage,
  options: { status?: ContentfulStatusCode; formAction?: boolean } = {},
): Response | Promise<Response> {
  const nonce = randomBytes(16).toString('base64')
  const policy = [
    "default-src 'none'",
    `style-src 'self' 'nonce-${nonce}'`,
    "font-src 'self'",
    ...(options.formAction === false ? [] : ["form-action 'self'"]),
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ]
  c.header('Content-Security-Policy', policy.join('; '))
  return c.html(htmlDocument(page, nonce), options.status ?? 200)
}
