import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sendInboundWhatsApp } from '../../../src/sandbox/carrier/inbound-whatsapp.ts'
import { startCarrier } from '../../../src/sandbox/carrier/server.ts'
import { parseSandboxConfig } from '../../../src/sandbox/main.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'
import { eventually } from '../../support/wait.ts'
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  noContent,
  payloadOf,
  startTestApp,
  startTestCarrier,
  twiml,
  voice,
} from './support.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

function startBoth(routes: Parameters<typeof startTestApp>[0]['routes']) {
  const app = startTestApp({ routes })
  const carrier = startTestCarrier()
  stops.push(app.stop, carrier.close)
  return { app, carrier }
}

describe('an inbound WhatsApp message', () => {
  test('has every field, a valid signature, media behind Basic auth, and one token for all its deliveries', async () => {
    const { app, carrier } = startBoth({ '/wa': noContent })
    const result = await sendInboundWhatsApp({
      carrier,
      webhookUrl: `${app.url}/wa?row=1#rc=5`,
      from: '+972502220000',
      to: 'whatsapp:+972501110000',
      body: 'שלום & "more"',
      profileName: 'דנה',
      media: [{ bytes: new Uint8Array([9, 8, 7]), contentType: 'image/jpeg' }],
      deliveries: 3,
      parallel: true,
    })
    expect(result.deliveries.map((each) => each.status)).toEqual([204, 204, 204])
    expect(app.seen.map((each) => each.valid)).toEqual([true, true, true])
    expect(new Set(app.seen.map((each) => each.headers.get('i-twilio-idempotency-token'))).size).toBe(1)
    const params: Record<string, string> = app.seen[0]?.params ?? {}
    expect(params).toMatchObject({
      AccountSid: ACCOUNT_SID,
      MessageSid: result.messageSid,
      From: 'whatsapp:+972502220000',
      To: 'whatsapp:+972501110000',
      Body: 'שלום & "more"',
      NumMedia: '1',
      MediaContentType0: 'image/jpeg',
      ProfileName: 'דנה',
      WaId: '972502220000',
      MessageType: 'image',
    })
    expect(params.ExternalUserId).toMatch(/^whatsapp:ID\./)
    const url = params.MediaUrl0 ?? ''
    expect((await fetch(url)).status).toBe(401)
    const media = await fetch(url, { headers: { Authorization: `Basic ${btoa(`${ACCOUNT_SID}:${AUTH_TOKEN}`)}` } })
    expect(media.headers.get('content-type')).toBe('image/jpeg')
    expect([...(await media.bytes())]).toEqual([9, 8, 7])
    const again = await sendInboundWhatsApp({
      carrier,
      webhookUrl: `${app.url}/wa`,
      from: '+972502220000',
      to: '+972501110000',
      messageSid: result.messageSid,
      signature: null,
    })
    expect(again.messageSid).toBe(result.messageSid)
    expect(app.seen.at(-1)).toMatchObject({ valid: false, params: { Body: 'שלום & "more"' } })
    expect(carrier.messages.size).toBe(1)
  })

  test('is retried on an error status only when the URL asks for it', async () => {
    let answers = 0
    const { app, carrier } = startBoth({
      '/wa': () => {
        answers += 1
        return new Response('x', { status: answers < 3 ? 503 : 204 })
      },
    })
    const message = { carrier, from: '+972502220000', to: '+972501110000', body: 'x' }
    const once = await sendInboundWhatsApp({ ...message, webhookUrl: `${app.url}/wa` })
    expect([once.deliveries[0]?.status, app.seen.length]).toEqual([503, 1])
    const retried = await sendInboundWhatsApp({ ...message, webhookUrl: `${app.url}/wa#rc=3&rp=5xx` })
    expect([retried.deliveries[0]?.status, app.seen.length]).toEqual([204, 3])
  })
})

describe('/_control', () => {
  test('places a call, shows its report and what was heard', async () => {
    const { app, carrier } = startBoth({ '/voice': () => twiml('<Say>hello</Say><Hangup/>') })
    const post = (path: string, body: unknown): Promise<Response> =>
      fetch(`${carrier.url}/_control${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      })
    const call = { webhookUrl: `${app.url}/voice`, from: '+972501110000', to: '+97231110000' }
    const script = [{ say: payloadOf(voice(200)), when: { afterMs: 20 }, label: 'hi' }]
    const waited = await (await post('/calls', { ...call, script, wait: true })).json()
    expect(waited).toMatchObject({ ended: { by: 'agent' }, turns: [{ label: 'hi' }], said: [{ text: 'hello' }] })
    const placed = await post('/calls', call)
    expect(placed.status).toBe(202)
    const { callSid } = await placed.json()
    const live = await (await fetch(`${carrier.url}/_control/calls/${callSid}`)).json()
    expect(live).toMatchObject({ call: { sid: callSid }, live: true, report: null })
    expect((await fetch(`${carrier.url}/_control/calls/${callSid}/hangup`, { method: 'POST' })).status).toBe(204)
    const list = async () => (await (await fetch(`${carrier.url}/_control/calls`)).json()).calls
    await eventually(async () => (await list()).every((each: { live: boolean }) => !each.live), 'the end of the call')
    const calls = await list()
    expect(calls.map((each: { live: boolean; ended: { by: string } }) => [each.live, each.ended.by])).toEqual([
      [false, 'caller'],
      [false, 'agent'],
    ])
    const heard = await fetch(`${carrier.url}/_control/calls/${waited.callSid}/heard.wav`)
    expect((await heard.bytes()).length).toBeGreaterThan(44 + 300 * 16)
    const bad = await post('/calls', { ...call, script: [{ say: '' }] })
    expect([bad.status, (await bad.json()).error.code]).toEqual([400, 'invalid'])
    expect((await post('/nothing', {})).status).toBe(404)
    const form = await fetch(`${carrier.url}/_control/faults`, { method: 'POST', body: 'a=1' })
    expect(form.status).toBe(415)
  })

  test('injects faults, sends inbound WhatsApp, lists messages, callbacks and settings', async () => {
    const { app, carrier } = startBoth({ '/wa': noContent })
    const ask = async (method: string, path: string, body?: unknown) => {
      const headers = { 'Content-Type': 'application/json' }
      const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) }
      const response = await fetch(`${carrier.url}/_control${path}`, init)
      const text = await response.text()
      return { status: response.status, json: text === '' ? null : JSON.parse(text) }
    }
    const { json } = await ask('POST', '/faults', { effect: { kind: 'http_error', status: 429, code: 20429 } })
    expect((await ask('GET', '/faults')).json.faults).toMatchObject([{ id: json.id, operation: 'messages.create' }])
    expect((await ask('DELETE', `/faults/${json.id}`)).status).toBe(204)
    expect(carrier.faults.list()).toEqual([])
    const inbound = { webhookUrl: `${app.url}/wa`, from: '+972502220000', to: '+972501110000', body: 'hi' }
    expect((await ask('POST', '/whatsapp/inbound', inbound)).json.deliveries[0].status).toBe(204)
    expect((await ask('GET', '/messages')).json.messages).toMatchObject([{ direction: 'inbound', body: 'hi' }])
    expect((await ask('GET', '/callbacks?kind=inbound_message')).json.callbacks.length).toBe(1)
    expect((await ask('PATCH', '/settings', { enforceWindow: true })).json.enforceWindow).toBe(true)
    expect((await ask('PATCH', '/settings', { unknown: 1 })).status).toBe(400)
    expect((await ask('GET', '/')).json).toMatchObject({ accountSid: ACCOUNT_SID, messages: 1 })
  })
})

describe('the sandbox process', () => {
  const directory = temporaryDirectory('sandbox-secrets')
  const write = (name: string, content: unknown) => {
    const file = join(directory, name)
    writeFileSync(file, JSON.stringify(content))
    return file
  }
  const flags = ['--secrets-file', write('secrets.json', { accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN })]

  test('reads its flags and refuses what is wrong, and any address but loopback', () => {
    expect(parseSandboxConfig([...flags, '--carrier-port', '0'])).toMatchObject({ carrierPort: 0, host: '127.0.0.1' })
    expect(() => parseSandboxConfig(['--secrets-file', write('half.json', { authToken: AUTH_TOKEN })])).toThrow()
    expect(() => parseSandboxConfig(['--auth-token', AUTH_TOKEN])).toThrow()
    expect(() => parseSandboxConfig([...flags, '--host', '0.0.0.0'])).toThrow()
    expect(() =>
      startCarrier({ port: 0, hostname: '0.0.0.0', accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN }),
    ).toThrow(/loopback only/)
  })

  test('says over IPC when it is ready, and ends with its parent', async () => {
    const ready = Promise.withResolvers<{ type: string; ports: { carrier: number } }>()
    const child = Bun.spawn([process.execPath, 'src/sandbox/main.ts', ...flags, '--log-level', 'silent'], {
      ipc: (message) => ready.resolve(message),
      stdout: 'ignore',
    })
    const { type, ports } = await ready.promise
    expect(type).toBe('ready')
    expect((await fetch(`http://127.0.0.1:${ports.carrier}/_control/`)).status).toBe(200)
    child.disconnect()
    expect(await child.exited).toBe(0)
  })

  test('ends on SIGTERM', async () => {
    const ready = Promise.withResolvers<void>()
    const child = Bun.spawn([process.execPath, 'src/sandbox/main.ts', ...flags, '--log-level', 'silent'], {
      ipc: () => ready.resolve(),
      stdout: 'ignore',
    })
    await ready.promise
    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
  })
})
