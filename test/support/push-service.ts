import { createDecipheriv, createECDH, hkdfSync, randomBytes } from 'node:crypto'
import { newId } from '../../src/lib/ids.ts'

/** The keys of RFC 8291, appendix A. */
export const EXAMPLE_PUSH_KEYS = {
  p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
  auth: 'BTBZMqHH6r4Tts7J_aSIgg',
}

type Browser = { id: string; endpoint: string; keys: { p256dh: string; auth: string } }
export type PushedMessage = { browser: string; text: string; ttl: string | null; urgency: string | null }

/** A push service with its browsers: checks what a sender signs (RFC 8292) and decrypts what it sends (RFC 8291, RFC 8188). */
export function startPushService(applicationServerKey: () => string) {
  const browsers = new Map<string, { ecdh: ReturnType<typeof createECDH>; auth: Buffer; status: number }>()
  const received: PushedMessage[] = []
  const refused: string[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const id = new URL(request.url).pathname.slice('/send/'.length)
      const browser = browsers.get(id)
      if (!browser) return new Response(null, { status: 404 })
      const problem = await checkSender(request, server.url.origin, applicationServerKey())
      if (problem) {
        refused.push(problem)
        return new Response(problem, { status: 403 })
      }
      if (browser.status !== 201) return new Response(null, { status: browser.status })
      const text = decrypt(Buffer.from(await request.arrayBuffer()), browser)
      received.push({ browser: id, text, ttl: request.headers.get('ttl'), urgency: request.headers.get('urgency') })
      return new Response(null, { status: 201 })
    },
  })
  return {
    received,
    refused,
    /** A browser that subscribes: its PushSubscription as JSON. */
    browser(): Browser {
      const id = newId()
      const ecdh = createECDH('prime256v1')
      ecdh.generateKeys()
      const auth = randomBytes(16)
      browsers.set(id, { ecdh, auth, status: 201 })
      return {
        id,
        endpoint: `${server.url.origin}/send/${id}`,
        keys: { p256dh: ecdh.getPublicKey('base64url'), auth: auth.toString('base64url') },
      }
    },
    /** What the service answers for a browser from now on. */
    answer(id: string, status: number) {
      const browser = browsers.get(id)
      if (browser) browser.status = status
    },
    messagesOf: (id: string): Record<string, unknown>[] =>
      received.filter(({ browser }) => browser === id).map(({ text }) => JSON.parse(text)),
    close: () => server.stop(true),
  }
}

/** @returns what is wrong with the sender's signature, or null */
async function checkSender(request: Request, origin: string, key: string): Promise<string | null> {
  const [, token = '', sent = ''] = /^vapid t=([^,]+), k=(.+)$/.exec(request.headers.get('authorization') ?? '') ?? []
  const [header = '', body = '', signature = ''] = token.split('.')
  if (sent !== key) return 'another key than the browser subscribed to'
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const publicKey = await crypto.subtle.importKey('raw', Buffer.from(sent, 'base64url'), algorithm, false, ['verify'])
  const signed = await crypto.subtle.verify(
    { name: 'ECDSA', hash: 'SHA-256' },
    publicKey,
    Buffer.from(signature, 'base64url'),
    Buffer.from(`${header}.${body}`),
  )
  if (!signed) return 'a wrong signature'
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
  if (claims.aud !== origin) return 'signed for another service'
  const left = claims.exp - Date.now() / 1_000
  if (left <= 0 || left > 24 * 3_600) return 'signed for too long, or expired'
  if (!/^(mailto:|https:)/.test(claims.sub)) return 'no address to ask'
  if (request.headers.get('content-encoding') !== 'aes128gcm') return 'another encoding'
  return null
}

function decrypt(body: Buffer, { ecdh, auth }: { ecdh: ReturnType<typeof createECDH>; auth: Buffer }): string {
  const salt = body.subarray(0, 16)
  const keyLength = body.readUInt8(20)
  const sender = body.subarray(21, 21 + keyLength)
  const sealed = body.subarray(21 + keyLength)
  const info = (text: string, ...more: Buffer[]) => Buffer.concat([Buffer.from(`${text}\0`), ...more])
  const derive = (secret: Uint8Array, from: Uint8Array, label: Buffer, length: number) =>
    Buffer.from(hkdfSync('sha256', secret, from, label, length))
  const shared = derive(ecdh.computeSecret(sender), auth, info('WebPush: info', ecdh.getPublicKey(), sender), 32)
  const key = derive(shared, salt, info('Content-Encoding: aes128gcm'), 16)
  const nonce = derive(shared, salt, info('Content-Encoding: nonce'), 12)
  const decipher = createDecipheriv('aes-128-gcm', key, nonce).setAuthTag(sealed.subarray(-16))
  const plain = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
  // The last record ends with 2, then zeros.
  return plain.subarray(0, plain.lastIndexOf(2)).toString()
}
