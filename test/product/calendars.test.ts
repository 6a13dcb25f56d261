import { afterAll, beforeAll, expect, test } from 'bun:test'
import { z } from 'zod'
import { type CalendarSandbox, startCalendars } from '../../src/sandbox/calendars/server.ts'
import type { Vendor } from '../../src/sandbox/calendars/state.ts'
import { calendarVariables } from '../support/calendars.ts'
import { eventually, type Product, startProduct } from '../support/product.ts'

let sandbox: CalendarSandbox
let product: Product

beforeAll(async () => {
  sandbox = startCalendars({ port: 0 })
  product = await startProduct({
    workers: ['crm', 'recordings'],
    queue: 'postgres',
    env: { SANDBOX: '1', ...calendarVariables(sandbox.url) },
  })
  // The vendors reach the server where it listens.
  sandbox.google.settings.rules.push({ publicBaseUrl: product.publicBaseUrl, connectBaseUrl: product.url() })
}, 120_000)
afterAll(async () => {
  await product?.stop()
  await sandbox.close()
})

const ask = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  fetch(`${product.url()}${path}`, { redirect: 'manual', ...init, headers })

/** A login as a browser makes it. @returns where the product sends the browser in the end */
async function logIn(vendor: Vendor, change: (callback: URL, cookie: string) => string = (_, cookie) => cookie) {
  const begun = await ask(`/calendars/oauth/${vendor}`)
  expect(begun.status).toBe(303)
  const [cookie = ''] = (begun.headers.get('set-cookie') ?? '').split(';')
  expect(begun.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Lax/)
  const page = await fetch(begun.headers.get('location') ?? '', {
    method: 'POST',
    redirect: 'manual',
    body: 'decision=connect',
  })
  const callback = new URL(page.headers.get('location') ?? '')
  const kept = change(callback, cookie)
  const back = await ask(`${callback.pathname}${callback.search}`, {
    cookie: kept,
    // As the browser marks what comes from the vendor's page.
    ...{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
  })
  expect(back.status).toBe(303)
  return new URL(back.headers.get('location') ?? '').searchParams.get('connected')
}

const list = async () =>
  z
    .object({
      items: z.array(
        z.object({
          id: z.string(),
          kind: z.string(),
          state: z.string(),
          syncedAt: z.string().nullable(),
          calendars: z.array(z.object({ notices: z.boolean() })),
        }),
      ),
    })
    .parse(await (await product.api('/api/v1/calendar-connections')).json()).items
const isFree = async (time: string) => {
  const answer = await product.api('/api/v1/free-times?from=2027-01-11&days=1&minutes=30')
  return z
    .object({ items: z.array(z.object({ time: z.string() })) })
    .parse(await answer.json())
    .items.some((each) => each.time === time)
}

test('only the browser that began a login ends it, once, with what the vendor gave', async () => {
  expect(await logIn('google', () => '')).toBe('expired')
  expect(await logIn('google', () => 'calendar_login=v1.AAAA')).toBe('expired')
  const wrongState = (callback: URL, cookie: string) => {
    callback.searchParams.set('state', 'x')
    return cookie
  }
  expect(await logIn('google', wrongState)).toBe('expired')
  const wrongCode = (callback: URL, cookie: string) => {
    callback.searchParams.set('code', 'code-of-another')
    return cookie
  }
  expect(await logIn('google', wrongCode)).toBe('failed')
  const denied = (callback: URL, cookie: string) => {
    callback.searchParams.delete('code')
    callback.searchParams.set('error', 'access_denied')
    return cookie
  }
  expect(await logIn('google', denied)).toBe('denied')
  const elsewhere = (callback: URL, cookie: string) => {
    callback.pathname = callback.pathname.replace('google', 'microsoft')
    return cookie
  }
  expect(await logIn('google', elsewhere)).toBe('expired')
  expect(await list()).toEqual([])
})

test.each(['google', 'microsoft'] as const)(
  '%s: connected, notified of what changes, and written to',
  async (vendor) => {
    const state = sandbox[vendor]
    expect(await logIn(vendor)).toBe('connected')
    const mine = async () => (await list()).find(({ kind }) => kind === vendor)
    await eventually(async () => (await mine())?.calendars.some(({ notices }) => notices), 'a channel', 60_000)
    const hour = vendor === 'google' ? '09' : '14'
    expect(await isFree(`${hour}:00`)).toBe(true)
    const times = (at: string) => ({ dateTime: `2027-01-11T${at}:00`, timeZone: 'Asia/Jerusalem' })
    const [start, end] = [times(`${hour}:00`), times(`${hour}:30`)]
    const google = { start: { dateTime: `${start.dateTime}+02:00` }, end: { dateTime: `${end.dateTime}+02:00` } }
    state.notices = 'doubled'
    state.put(
      state.calendar('primary')?.id ?? '',
      'abcde12345',
      vendor === 'google' ? google : { showAs: 'busy', start, end },
    )
    await eventually(async () => !(await isFree(`${hour}:00`)), 'busy there is busy here', 60_000)

    const answer = await product.api('/api/v1/appointments', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ startsAt: `2027-01-12T${hour}:00:00+02:00`, minutes: 30, name: `Dana ${vendor}` }),
    })
    expect(answer.status).toBe(201)
    const written = () =>
      [...state.events.values()].filter(({ body, gone }) => !gone && JSON.stringify(body).includes(`Dana ${vendor}`))
    await eventually(() => written().length === 1, 'the appointment there', 60_000)
  },
  180_000,
)

test('notices without the secret of their channel, and what is no notice, do nothing', async () => {
  const [google] = sandbox.google.channels.values()
  const [microsoft] = sandbox.microsoft.channels.values()
  if (!google || !microsoft) throw new Error('There are no channels.')
  const headers = { 'x-goog-channel-id': google.id, 'x-goog-resource-state': 'exists' }
  expect((await ask('/webhook/calendars/google', headers, { method: 'POST' })).status).toBe(403)
  expect(
    (await ask('/webhook/calendars/google', { ...headers, 'x-goog-channel-token': 'x' }, { method: 'POST' })).status,
  ).toBe(403)
  expect((await ask('/webhook/calendars/google', {}, { method: 'POST' })).status).toBe(403)
  const { pathname, search } = new URL(microsoft.address)
  const body = (clientState: string) => JSON.stringify({ value: [{ subscriptionId: microsoft.id, clientState }] })
  const post = (text: string, path = `${pathname}${search}`) =>
    ask(path, { 'content-type': 'application/json' }, { method: 'POST', body: text })
  expect((await post(body('x'))).status).toBe(403)
  expect((await post(body(microsoft.secret), pathname)).status).toBe(400)
  expect((await post('no json')).status).toBe(400)
  expect((await post(body(microsoft.secret))).status).toBe(202)
  const handshake = await post('', `${pathname}?validationToken=${encodeURIComponent('a & b <script>')}`)
  expect([handshake.status, handshake.headers.get('content-type')?.split(';')[0], await handshake.text()]).toEqual([
    200,
    'text/plain',
    'a & b <script>',
  ])
})

test('a worker that is killed in the middle leaves one event', async () => {
  const answer = await product.api('/api/v1/appointments', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ startsAt: '2027-01-13T12:00:00+02:00', minutes: 30, name: 'Second' }),
  })
  expect(answer.status).toBe(201)
  for (const worker of product.workersOf('crm')) worker.kill('SIGKILL')
  await product.startWorker('crm')
  const written = (vendor: Vendor) =>
    [...sandbox[vendor].events.values()].filter(({ body, gone }) => !gone && JSON.stringify(body).includes('Second'))
  await eventually(
    () => written('google').length > 0 && written('microsoft').length > 0,
    'the appointment in both calendars',
    90_000,
  )
  expect([written('google').length, written('microsoft').length]).toEqual([1, 1])
}, 180_000)
