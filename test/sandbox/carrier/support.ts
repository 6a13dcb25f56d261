import { validateRequest } from 'twilio/lib/webhooks/webhooks'
import { makeTone } from '../../../src/sandbox/carrier/audio.ts'
import { type Carrier, startCarrier } from '../../../src/sandbox/carrier/server.ts'
import type { CarrierSettings } from '../../../src/sandbox/carrier/state.ts'

export const ACCOUNT_SID = `AC${'0'.repeat(31)}1`
export const AUTH_TOKEN = '0123456789abcdef0123456789abcdef'

export function startTestCarrier(settings: Partial<CarrierSettings> = {}): Carrier {
  return startCarrier({ port: 0, accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN, settings })
}

/** A request to a test app. `valid` = its signature, by Twilio's own check over the public URL. */
export type SeenRequest = { path: string; params: Record<string, string>; headers: Headers; valid: boolean }

export type MediaSocket = Bun.ServerWebSocket<{ upgrade: SeenRequest }>

export type TestApp = {
  url: string
  /** The public host of `wss` URLs in TwiML. */
  host: string
  seen: SeenRequest[]
  to: (path: string) => SeenRequest[]
  stop: () => Promise<void>
}

type Answer = Response | Promise<Response>

/** A small product: answers TwiML and other requests by path, and serves a media socket on `/ws`. */
export function startTestApp(options: {
  routes: Record<string, (request: SeenRequest) => Answer>
  onMessage?: (socket: MediaSocket, message: Record<string, unknown>) => void
  onOpen?: (socket: MediaSocket) => void
  /** The answer to the offered subprotocol; null = none. */
  subprotocol?: string | null
  refuseUpgrade?: number
}): TestApp {
  const seen: SeenRequest[] = []
  const server = Bun.serve<{ upgrade: SeenRequest }>({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request, self) => {
      const { pathname, search } = new URL(request.url)
      const isUpgrade = request.headers.get('upgrade') === 'websocket'
      const form = request.method === 'POST' ? new URLSearchParams(await request.text()) : new URLSearchParams()
      const params = Object.fromEntries(form)
      const publicUrl = `${isUpgrade ? 'wss' : 'http'}://${request.headers.get('host')}${pathname}${search}`
      const signature = request.headers.get('x-twilio-signature') ?? ''
      const valid = validateRequest(AUTH_TOKEN, signature, publicUrl, params)
      const entry: SeenRequest = { path: pathname, params, headers: request.headers, valid }
      seen.push(entry)
      if (isUpgrade && options.refuseUpgrade === undefined) {
        const subprotocol = options.subprotocol === undefined ? 'audio.twilio.com' : options.subprotocol
        const headers = { 'Sec-WebSocket-Protocol': subprotocol ?? '' }
        if (self.upgrade(request, { data: { upgrade: entry }, headers })) return undefined
      }
      if (isUpgrade) return new Response('no', { status: options.refuseUpgrade ?? 400 })
      return options.routes[pathname]?.(entry) ?? new Response('not found', { status: 404 })
    },
    websocket: {
      open: (socket) => options.onOpen?.(socket),
      message: (socket, data) => options.onMessage?.(socket, JSON.parse(String(data))),
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    host: `127.0.0.1:${server.port}`,
    seen,
    to: (path) => seen.filter((each) => each.path === path),
    stop: () => server.stop(true),
  }
}

export function twiml(inner: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?><Response>${inner}</Response>`, {
    headers: { 'Content-Type': 'text/xml' },
  })
}

export const noContent = (): Response => new Response(null, { status: 204 })

/** Voice-like sound of that length. */
export const voice = (ms: number): Uint8Array => makeTone(440, ms)

export const payloadOf = (audio: Uint8Array): string => Buffer.from(audio).toString('base64')

export async function until(condition: () => boolean, ms = 3000): Promise<void> {
  const end = performance.now() + ms
  while (!condition()) {
    if (performance.now() > end) throw new Error('it did not happen in time')
    await Bun.sleep(5)
  }
}
