import { signTwilioRequest } from '../../src/sandbox/carrier/signature.ts'
import type { Product } from './product.ts'

/** A media stream played by hand, frame by frame. */
export type HandStream = {
  /** What came from the server, parsed. */
  readonly received: Record<string, unknown>[]
  readonly closed: Promise<{ code: number; reason: string }>
  sendRaw(data: string | Uint8Array<ArrayBuffer>): void
  send(message: Record<string, unknown>): void
  /** `connected` and `start` of a call. */
  start(callSid: string, token: string, streamSid?: string): void
  media(ms: number): void
  /** Sends audio (μ-law) as media. */
  speak(audio: Uint8Array): void
  mark(name: string): void
  close(): void
}

/** Opens the media socket of the n-th web server. @throws Error when the upgrade is refused */
export async function openStream(
  product: Product,
  index = 0,
  signed: 'right' | 'none' | { token: string } = 'right',
): Promise<HandStream> {
  const url = `${product.publicBaseUrl.replace(/^http/, 'ws')}/ws/twilio-media`
  const signature = signTwilioRequest(
    typeof signed === 'object' ? signed.token : product.carrier.authToken,
    url.replace(/^ws:/, 'wss:'),
  )
  return await openSocket(product, `ws://127.0.0.1:${product.server(index).port}/ws/twilio-media`, {
    headers: signed === 'none' ? {} : { 'X-Twilio-Signature': signature },
    protocols: ['audio.twilio.com'],
  })
}

/** Opens a socket that speaks the carrier's frames. @throws Error when the upgrade is refused */
export async function openSocket(
  product: Product,
  url: string,
  options: { headers: Record<string, string>; protocols?: string[] },
): Promise<HandStream> {
  const received: Record<string, unknown>[] = []
  const { promise: closed, resolve: close } = Promise.withResolvers<{ code: number; reason: string }>()
  const { promise: opened, resolve: open, reject } = Promise.withResolvers<void>()
  // Bun's client takes headers; the DOM's type of the same constructor does not know them.
  const socket: WebSocket = Reflect.construct(WebSocket, [url, options])
  socket.onopen = () => open()
  socket.onerror = () => reject(new Error('the media socket was refused'))
  socket.onclose = ({ code, reason }) => close({ code, reason })
  socket.onmessage = ({ data }) => received.push(JSON.parse(String(data)))
  await opened
  let sequence = 0
  const send = (message: Record<string, unknown>) => {
    sequence += 1
    socket.send(JSON.stringify({ ...message, sequenceNumber: String(sequence) }))
  }
  let stream = ''
  let clock = 0
  const speak = (audio: Uint8Array) => {
    for (let at = 0; at < audio.length; at += 160, clock += 20) {
      const payload = Buffer.from(audio.subarray(at, at + 160)).toString('base64')
      send({ event: 'media', streamSid: stream, media: { track: 'inbound', timestamp: String(clock), payload } })
    }
  }
  return {
    received,
    closed,
    sendRaw: (data) => socket.send(data),
    send,
    start(callSid, token, streamSid = `MZ${callSid.slice(2)}`) {
      stream = streamSid
      send({ event: 'connected', protocol: 'Call', version: '1.0.0' })
      send({
        event: 'start',
        streamSid,
        start: {
          accountSid: product.carrier.accountSid,
          streamSid,
          callSid,
          tracks: ['inbound'],
          mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
          customParameters: { token },
        },
      })
    },
    media: (ms) => speak(Buffer.alloc(ms * 8, 0xff)),
    speak,
    mark: (name) => send({ event: 'mark', streamSid: stream, mark: { name } }),
    close: () => socket.close(1000),
  }
}

/** Announces a call to the n-th web server as the carrier does; answers the token of its stream. */
export async function announceCall(
  product: Product,
  callSid: string,
  index = 0,
  to = '+97233760000',
  from = '+972501234567',
): Promise<string> {
  const fields = { CallSid: callSid, From: from, To: to }
  const twiml = await (await product.post('/webhook/incoming_call', fields, 'right', index)).text()
  const token = /name="token" value="([^"]*)"/.exec(twiml)?.[1]
  if (!token) throw new Error(`The call was not connected to a stream: ${twiml}`)
  return token
}

/** A WebSocket handshake by hand: the status, the headers, and every subprotocol line of the answer. */
export async function handshake(
  port: number,
  path: string,
  headers: [string, string][],
): Promise<{ status: number; protocols: string[]; head: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let head = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data(_, chunk) {
        head += chunk.toString('latin1')
        if (head.includes('\r\n\r\n')) resolve(head)
      },
      close: () => reject(new Error('closed without an answer')),
    },
  })
  const timer = setTimeout(() => reject(new Error('no answer to the handshake')), 5_000)
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: 127.9.9.9',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  try {
    const answer = (await promise).split('\r\n\r\n')[0] ?? ''
    const protocols = answer
      .split('\r\n')
      .filter((each) => /^sec-websocket-protocol:/i.test(each))
      .map((each) => each.slice(each.indexOf(':') + 1).trim())
    return { status: Number(answer.split(' ')[1]), protocols, head: answer }
  } finally {
    clearTimeout(timer)
    socket.end()
  }
}
