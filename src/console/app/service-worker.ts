/** The console's service worker: notifications, and a page for when the server cannot be reached. */

type Waits = { waitUntil(work: Promise<unknown>): void }
type Client = { readonly url: string; focus(): Promise<Client>; navigate(url: string): Promise<Client | null> }
type Events = {
  install: Event & Waits
  activate: Event & Waits
  fetch: Event & { request: Request; respondWith(answer: Promise<Response>): void }
  push: Event & Waits & { data: { json(): unknown } | null }
  notificationclick: Event & Waits & { notification: Notification }
}
/** What a service worker has; the types of the DOM, which the console has, leave it out. */
type Scope = {
  registration: ServiceWorkerRegistration
  clients: {
    claim(): Promise<void>
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<Client[]>
    openWindow(url: string): Promise<Client | null>
  }
  skipWaiting(): Promise<void>
  addEventListener<K extends keyof Events>(type: K, listener: (event: Events[K]) => void): void
}

const scope = globalThis as unknown as Scope

/** The address of the console, with a slash behind. */
const home = () => `${scope.registration.scope.replace(/\/+$/, '')}/`

/** No style and no script: it is shown under the policy of a page that has none. */
const OFFLINE = `<!doctype html><html lang="he" dir="rtl"><meta charset="utf-8"><title>AgentLocator</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<main><h1>אין חיבור לשרת</h1><p>בדקו את החיבור לאינטרנט ונסו שוב. הטלפון ממשיך לענות גם בלי המסוף.</p><p><a href="">לנסות שוב</a></p>
<div lang="en" dir="ltr"><h2>The server cannot be reached</h2><p>Check your connection and try again. Calls are answered without the console too.</p><p><a href="">Try again</a></p></div></main></html>`

scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()))
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))

scope.addEventListener('fetch', (event) => {
  if (event.request.mode === 'navigate') event.respondWith(fetch(event.request).catch(offline))
})

function offline(): Response {
  return new Response(OFFLINE, {
    status: 503,
    headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': "default-src 'none'" },
  })
}

scope.addEventListener('push', (event) => {
  const { title, body, lang, dir, tag, url } = readMessage(event.data)
  const icon = new URL('assets/icon-192.png', home()).href
  event.waitUntil(
    scope.registration.showNotification(title, { body, lang, dir, icon, ...(tag ? { tag } : {}), data: { url } }),
  )
})

/** Whatever came, something is shown: a browser revokes the right of a worker that shows nothing. */
function readMessage(data: { json(): unknown } | null) {
  const read = (() => {
    try {
      return new Map<string, unknown>(Object.entries(Object(data?.json())))
    } catch {
      return new Map<string, unknown>()
    }
  })()
  const text = (name: string) => {
    const value = read.get(name)
    return typeof value === 'string' ? value : ''
  }
  return {
    title: text('title') || 'AgentLocator',
    body: text('body'),
    lang: text('lang'),
    dir: text('dir') === 'rtl' ? ('rtl' as const) : ('ltr' as const),
    tag: text('tag'),
    url: text('url'),
  }
}

scope.addEventListener('notificationclick', (event) => {
  event.notification.close()
  const url: unknown = Reflect.get(Object(event.notification.data), 'url')
  event.waitUntil(show(typeof url === 'string' ? url : ''))
})

/** Leads to the place in a window of the console that is open, else in a new one. */
async function show(place: string): Promise<void> {
  const target = new URL(place, home())
  // Only to the console itself.
  const url = target.href.startsWith(home()) ? target.href : home()
  const windows = await scope.clients.matchAll({ type: 'window', includeUncontrolled: true })
  const open = windows.find((each) => each.url.startsWith(scope.registration.scope))
  if (!open) {
    await scope.clients.openWindow(url)
    return
  }
  // Only a click of a person may bring a window to the front.
  await open.focus().catch(() => open)
  await open.navigate(url).catch(() => scope.clients.openWindow(url))
}
