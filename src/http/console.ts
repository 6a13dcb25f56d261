import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { Hono } from 'hono'
import { html } from 'hono/html'
import { z } from 'zod'

const manifestSchema = z.object({ hash: z.string(), script: z.string(), style: z.string(), fonts: z.array(z.string()) })
type Manifest = z.infer<typeof manifestSchema>

const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  map: 'application/json',
  woff2: 'font/woff2',
  svg: 'image/svg+xml',
  png: 'image/png',
  webmanifest: 'application/manifest+json',
}
const ENCODINGS = [
  { name: 'br', extension: '.br' },
  { name: 'gzip', extension: '.gz' },
] as const

/** Scripts, styles and fonts of our own alone; files of customers come from the same origin, recordings too. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

const SCREENS = [
  '/',
  '/today',
  '/inbox',
  '/live',
  '/calls',
  '/calls/:id',
  '/leads',
  '/contacts',
  '/calendar',
  '/payments',
  '/settings',
  '/setup',
  '/stats',
  '/health',
]

export type ConsoleDeps = {
  folder: string
  base: string
  defaults(): { language: 'he' | 'en'; timezone?: string }
}

/** The console: a shell in HTML that is never cached, and files that never change under their name. */
export function createConsole({ folder, base, defaults }: ConsoleDeps): Hono {
  const app = new Hono()
  const manifestNow = createManifestReader(folder)
  app.get('/assets/:file', (c) => {
    const name = c.req.param('file')
    return serve(join(folder, 'assets'), name, c.req.raw, /-[\w]{6,}\.|\.woff2$/.test(name))
  })
  app.get('/icon.svg', (c) => serve(folder, 'icon.svg', c.req.raw, false))
  app.get('/console.webmanifest', (c) => serve(folder, 'console.webmanifest', c.req.raw, false))
  app.get('/sw.js', (c) => {
    const file = serve(folder, 'sw.js', c.req.raw, false)
    // The policy of a worker is that of its script: it fetches what its pages open.
    file.headers.set('Content-Security-Policy', POLICY)
    // The console begins where no slash follows, above the folder of the script.
    file.headers.set('Service-Worker-Allowed', `${base}/console`)
    return file
  })
  const shell = (request: Request) => {
    const manifest = manifestNow()
    const { language, timezone = 'Asia/Jerusalem' } = defaults()
    const body = manifest ? page(manifest, languageOf(request, language), timezone, base) : NOT_BUILT
    return new Response(body.toString(), {
      status: manifest ? 200 : 503,
      headers: {
        'Content-Type': 'text/html; charset=utf-8',
        'Content-Security-Policy': POLICY,
        'Cache-Control': 'no-cache',
        'Permissions-Policy': 'camera=(), display-capture=(), geolocation=(), microphone=(self), payment=(), usb=()',
      },
    })
  }
  for (const path of SCREENS) app.get(path, (c) => shell(c.req.raw))
  return app
}

function createManifestReader(folder: string): () => Manifest | null {
  const path = join(folder, 'manifest.json')
  let read: { at: number; manifest: Manifest } | null = null
  return () => {
    const at = existsSync(path) ? statSync(path).mtimeMs : null
    if (at === null) return read?.manifest ?? null
    if (read?.at !== at) read = { at, manifest: manifestSchema.parse(JSON.parse(readFileSync(path, 'utf8'))) }
    return read.manifest
  }
}

function languageOf(request: Request, otherwise: 'he' | 'en'): 'he' | 'en' {
  const first = /^[a-z]{2}/i.exec(request.headers.get('accept-language') ?? '')?.[0]?.toLowerCase()
  return first === 'he' || first === 'iw' ? 'he' : first === 'en' ? 'en' : otherwise
}

function page({ script, style, fonts }: Manifest, language: 'he' | 'en', timeZone: string, base: string) {
  return html`<!doctype html>
<html lang="${language}" dir="${language === 'he' ? 'rtl' : 'ltr'}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" content="#0f766e">
<meta id="react-aria-pressable-style">
<title>AgentLocator</title>
<link rel="icon" href="/console/icon.svg" type="image/svg+xml">
<link rel="apple-touch-icon" href="/console/assets/icon-192.png">
<link rel="manifest" href="/console/console.webmanifest">
${fonts.map((font) => html`<link rel="preload" as="font" type="font/woff2" crossorigin href="/console/assets/${font}">`)}
<link rel="stylesheet" href="/console/assets/${style}">
<script type="module" src="/console/assets/${script}"></script>
</head>
<body><div id="console" data-time-zone="${timeZone}" data-base="${base}"></div>
<noscript>The console needs JavaScript. המסוף צריך JavaScript.</noscript></body>
</html>`
}

const NOT_BUILT = html`<!doctype html><html lang="en"><meta charset="utf-8"><title>AgentLocator</title>
<h1>The console is not built.</h1><p>Run <code>./start_all.sh install</code> and start again.</p></html>`

function serve(folder: string, name: string, request: Request, immutable: boolean): Response {
  const path = normalize(join(folder, name))
  const type = TYPES[/\.(\w+)$/.exec(name)?.[1] ?? '']
  if (!type || !path.startsWith(`${folder}/`) || !existsSync(path)) return new Response('Not found', { status: 404 })
  const accepted = request.headers.get('accept-encoding') ?? ''
  const encoding = ENCODINGS.find(
    ({ name: each, extension }) => accepted.includes(each) && existsSync(path + extension),
  )
  const file = Bun.file(encoding ? path + encoding.extension : path)
  const etag = `"${file.size.toString(36)}-${Math.floor(file.lastModified).toString(36)}${encoding ? `-${encoding.name}` : ''}"`
  const headers = new Headers({
    ETag: etag,
    Vary: 'Accept-Encoding',
    'Cache-Control': immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
  })
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
  headers.set('Content-Type', type)
  if (encoding) headers.set('Content-Encoding', encoding.name)
  return new Response(file, { headers })
}
