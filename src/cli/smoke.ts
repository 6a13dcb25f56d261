import { errorMessage } from '../lib/errors.ts'

export type SmokeCheck = { name: string; ok: boolean; expected: string; got: string; skipped?: boolean }

export type SmokeOptions = {
  baseUrl: string
  /** API key for sending; null on the machine of the sandbox. */
  apiKey: string | null
  to: string | null
  /** Places a live call; null, when the carrier's token is unknown, skips it. */
  placeCall:
    | (() => Promise<{
        streamStatus: number[]
        streamEnded: number | null
        codes: number[]
        greetingMs: number | null
        ended: string
      }>)
    | null
}

const TIMEOUT_MS = 10_000

export async function runSmoke(options: SmokeOptions, onCheck: (check: SmokeCheck) => void): Promise<boolean> {
  const checks: SmokeCheck[] = []
  const add = (check: SmokeCheck) => {
    checks.push(check)
    onCheck(check)
  }
  for (const check of [callbacks, preview, handshakes, liveCall, outbound, health]) {
    try {
      await check(options, add)
    } catch (error) {
      add({
        name: check.name,
        ok: false,
        expected: 'an answer',
        got: errorMessage(error),
      })
    }
  }
  return checks.every((check) => check.ok || check.skipped)
}

type Add = (check: SmokeCheck) => void

function request(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
}

async function callbacks({ baseUrl }: SmokeOptions, add: Add) {
  for (const [path, status] of [
    ['stream_status', 'connected'],
    ['stream_ended', 'completed'],
  ]) {
    const response = await request(`${baseUrl}/webhook/${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: `CallSid=CA_TEST&StreamSid=MZ_TEST&Status=${status}`,
    })
    add({
      name: `A  POST /webhook/${path}`,
      ok: response.status === 204,
      expected: '204',
      got: String(response.status),
    })
  }
}

async function preview({ baseUrl }: SmokeOptions, add: Add) {
  const response = await request(`${baseUrl}/webhook/incoming_call_preview`)
  const twiml = await response.text()
  const host = /<Stream url="wss:\/\/([^"]+)\/ws\/twilio-media"/.exec(twiml)?.[1]
  add({
    name: 'B  TwiML: <Connect action> ends in /webhook/stream_ended',
    ok: /<Connect action="https?:\/\/[^"]*[^/]\/webhook\/stream_ended"/.test(twiml),
    expected: '<Connect action="https://…/webhook/stream_ended">',
    got: /<Connect[^>]*>/.exec(twiml)?.[0] ?? `${response.status} without <Connect>`,
  })
  add({
    name: 'B  TwiML: <Stream url> is wss and ends in /ws/twilio-media',
    ok: host !== undefined && !host.includes('//'),
    expected: '<Stream url="wss://HOST/ws/twilio-media">',
    got: /<Stream[^>]*>/.exec(twiml)?.[0] ?? 'no <Stream>',
  })
  add({
    name: 'B  TwiML: <Stream statusCallback> ends in /webhook/stream_status',
    ok: /statusCallback="https?:\/\/[^"]*[^/]\/webhook\/stream_status"/.test(twiml),
    expected: 'statusCallback="https://…/webhook/stream_status"',
    got: /statusCallback="[^"]*"/.exec(twiml)?.[0] ?? 'none',
  })
  add({
    name: 'B  TwiML: nothing is said or played before the stream',
    ok: /<Response>\s*<Connect/.test(twiml) && !/<(Play|Say)\b/.test(twiml),
    expected: '<Connect> first',
    got: /<Response>\s*<\w+/.exec(twiml)?.[0] ?? 'no <Response>',
  })
}

async function handshakes({ baseUrl }: SmokeOptions, add: Add) {
  for (const path of ['/ws/twilio-media', '/ws/twilio-media/']) {
    for (const [offer, wanted] of [
      ['audio.twilio.com', 'audio.twilio.com'],
      ['other, audio.twilio.com', 'audio.twilio.com'],
      [null, null],
      ['other', null],
    ]) {
      const { status, protocols } = await upgrade(baseUrl + path, offer ?? null)
      const expected = wanted ? `101 with ${wanted} once` : '101 without a subprotocol'
      add({
        name: `C  ${path} offered ${offer ?? 'nothing'}`,
        ok: status === 101 && (wanted ? protocols.length === 1 && protocols[0] === wanted : protocols.length === 0),
        expected,
        got: `${status} with ${protocols.join(' and ') || 'none'}`,
      })
    }
  }
}

/** A raw WebSocket handshake, since no client shows the headers of the response. */
async function upgrade(address: string, offer: string | null): Promise<{ status: number; protocols: string[] }> {
  const url = new URL(address)
  const tls = url.protocol === 'https:'
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let head = ''
  const timer = setTimeout(() => reject(new Error('There was no answer to the handshake.')), TIMEOUT_MS)
  const socket = await Bun.connect({
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (tls ? 443 : 80),
    tls,
    socket: {
      data(_, chunk) {
        head += chunk.toString('latin1')
        if (head.includes('\r\n\r\n')) resolve(head)
      },
      close: () => reject(new Error('The connection was closed during the handshake.')),
      error: (_, error) => reject(error),
    },
  })
  const lines = [
    `GET ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64')}`,
    ...(offer === null ? [] : [`Sec-WebSocket-Protocol: ${offer}`]),
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  try {
    const [statusLine = '', ...headers] = (await promise).split('\r\n\r\n')[0]?.split('\r\n') ?? []
    return {
      status: Number(statusLine.split(' ')[1]),
      protocols: headers
        .filter((line) => /^sec-websocket-protocol:/i.test(line))
        .map((line) => line.slice(line.indexOf(':') + 1).trim())
        .filter((value) => value !== ''),
    }
  } finally {
    clearTimeout(timer)
    socket.end()
  }
}

async function liveCall({ placeCall }: SmokeOptions, add: Add) {
  if (!placeCall) {
    add({
      name: 'D  a live call',
      ok: false,
      skipped: true,
      expected: 'a call',
      got: 'not placed: the Twilio auth token is not known here; call the number and open the Request Inspector',
    })
    return
  }
  const call = await placeCall()
  const statuses = call.streamStatus
  add({
    name: 'D  live call: POST /webhook/stream_status',
    ok: statuses.length > 0 && statuses.every((status) => status === 204) && !call.codes.includes(15003),
    expected: '204 each time, no 15003',
    got: statuses.join(' ') || 'never requested',
  })
  add({
    name: 'D  live call: POST /webhook/stream_ended',
    ok: call.streamEnded === 200 || call.streamEnded === 204,
    expected: '200 or 204',
    got: String(call.streamEnded ?? 'never requested'),
  })
  add({
    name: 'D  live call: no error 31920',
    ok: !call.codes.includes(31920),
    expected: 'none',
    got: call.codes.join(' ') || 'none',
  })
  add({
    name: 'D  live call: the agent speaks at once',
    ok: call.greetingMs !== null && call.greetingMs < 1_000,
    expected: 'audio within 1 s of the start',
    got: call.greetingMs === null ? 'silence' : `${call.greetingMs} ms`,
  })
}

async function outbound({ baseUrl, apiKey, to }: SmokeOptions, add: Add) {
  if (!to) {
    add({
      name: 'E  WhatsApp outbound',
      ok: false,
      skipped: true,
      expected: 'two sends',
      got: 'not sent: name a number for test messages with --to',
    })
    return
  }
  const headers = {
    'Content-Type': 'application/json',
    ...(apiKey ? { Authorization: `Bearer ${apiKey}` } : {}),
  }
  for (const provider of ['twilio', 'baileys']) {
    const response = await request(`${baseUrl}/api/whatsapp/send`, {
      method: 'POST',
      headers: { ...headers, Prefer: 'wait=5' },
      body: JSON.stringify({ to, text: 'בדיקה', provider }),
    })
    const answer = (await response.json()) as {
      success?: boolean
      id?: string
      status?: string
      error?: { code: string }
    }
    add({
      name: `E  WhatsApp by ${provider}`,
      ok: answer.success === true && answer.status !== 'failed',
      // An installation may have one provider only: the other one is skipped.
      skipped: ['account_not_linked', 'not_configured'].includes(answer.error?.code ?? ''),
      expected: 'success=true',
      got: `${response.status} ${answer.success ? `success=true ${answer.status}` : (answer.error?.code ?? 'no answer')}`,
    })
    if (!answer.id) continue
    const record = await request(`${baseUrl}/api/whatsapp/status/${answer.id}`, { headers })
    const { message } = (await record.json()) as { message?: { direction: string; status: string } }
    const states = ['sent', 'delivered', 'read']
    add({
      name: `E  recorded in the CRM, ${provider}`,
      ok: message?.direction === 'out' && states.includes(message.status),
      expected: `out/${states[0]} or later`,
      got: message ? `${message.direction}/${message.status}` : String(record.status),
    })
  }
}

async function health({ baseUrl }: SmokeOptions, add: Add) {
  for (const path of ['/', '/healthz', '/readyz', '/version']) {
    const response = await request(baseUrl + path)
    const missing = path === '/readyz' && !response.ok ? `, ${(await response.text()).slice(0, 200)}` : ''
    add({ name: `   GET ${path}`, ok: response.status === 200, expected: '200', got: response.status + missing })
  }
}
