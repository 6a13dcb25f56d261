import { below } from './base.ts'
import type { Locale } from './i18n.tsx'
import { client } from './trpc.ts'

/** Whether this browser can be notified: on an iPhone only once the console is on its home screen. */
export const canBeNotified = () => 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window

export function registerWorker(): void {
  if (!('serviceWorker' in navigator)) return
  document.addEventListener('submit', unsubscribeOnSignOut)
  navigator.serviceWorker
    .register(below('/console/sw.js'), { scope: below('/console') })
    // Without it the console works, only not offline and without notifications.
    .catch((error: unknown) => console.info('no service worker', error))
}

async function subscription(): Promise<PushSubscription | null> {
  const worker = await navigator.serviceWorker.ready
  return await worker.pushManager.getSubscription()
}

/** SHA-256 of this browser's endpoint, by which the server lists it; null while it takes no notifications. */
export async function endpointHash(): Promise<string | null> {
  const present = await subscription()
  if (!present) return null
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(present.endpoint))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Has this browser notified. To be called from a click: it asks for permission. @returns false when that was denied */
export async function subscribe(language: Locale): Promise<boolean> {
  if ((await Notification.requestPermission()) !== 'granted') return false
  const { publicKey } = await client.push.key.query()
  const worker = await navigator.serviceWorker.ready
  const options = { userVisibleOnly: true, applicationServerKey: publicKey }
  const made = await worker.pushManager.subscribe(options).catch(async () => {
    // It was made for other keys: those of an earlier installation.
    await (await subscription())?.unsubscribe()
    return await worker.pushManager.subscribe(options)
  })
  const { endpoint, keys } = made.toJSON()
  await client.push.subscribe.mutate({
    subscription: { endpoint: endpoint ?? '', keys: { p256dh: keys?.p256dh ?? '', auth: keys?.auth ?? '' } },
    label: describeBrowser(),
    language,
  })
  return true
}

/** Whoever signs out is not notified on this device any more; the server forgets it with the next notification. */
function unsubscribeOnSignOut(event: SubmitEvent): void {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !form.action.endsWith('/admin/logout') || !canBeNotified()) return
  event.preventDefault()
  const signOut = () => form.submit()
  // A worker that never gets ready must not keep a member signed in.
  const limit = new Promise<void>((resolve) => setTimeout(resolve, 1_500))
  void Promise.race([unsubscribe(), limit]).then(signOut, signOut)
}

export async function unsubscribe(): Promise<void> {
  await (await subscription())?.unsubscribe()
}

/** Such as "Chrome, Android". */
function describeBrowser(): string {
  const agent = navigator.userAgent
  const name = (names: Record<string, RegExp>) => Object.keys(names).find((each) => names[each]?.test(agent))
  const browser = name({ Edge: /Edg\//, Firefox: /Firefox\//, Chrome: /Chrome\//, Safari: /Safari\// })
  const system = name({
    Android: /Android/,
    iPhone: /iPhone/,
    iPad: /iPad/,
    Windows: /Windows/,
    Mac: /Mac OS/,
    Linux: /Linux/,
  })
  return [browser, system].filter(Boolean).join(', ') || 'Browser'
}
