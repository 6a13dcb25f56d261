import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { PASSWORD_PATHS } from '../../src/access/account-guards.ts'
import { createAuth, createLogin } from '../../src/access/login.ts'
import { checkNewPassword } from '../../src/access/passwords.ts'
import { createBusiness } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import { requeueMails, sendMail } from '../../src/domain/mails/index.ts'
import {
  findInvitation,
  grantMembership,
  makeResetLink,
  membershipsOf,
  pruneAttempts,
  type Role,
} from '../../src/domain/members/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { type MailServer, partsOf, startMailServer } from '../support/mail-server.ts'
import { oneTimeCode } from '../support/one-time-code.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const GOOD = 'brook lantern granite 42'
let database: TestDatabase
let web: TestServer
/** The same installation as a second process that has mail. */
let mailing: TestServer
let mail: MailServer
/** Another tenant, whose language is Hebrew. */
let otherId = ''

beforeAll(async () => {
  database = await createTestDatabase()
  mail = await startMailServer()
  web = await startTestServer(database.url, { TRUSTED_PROXIES: 'loopback' })
  mailing = await startTestServer(database.url, {
    TRUSTED_PROXIES: 'loopback',
    SMTP_URL: mail.url,
    MAIL_FROM: 'AgentLocator <noreply@shop.example>',
  })
  otherId = await createBusiness(web.deps.ctx, { name: 'מספרת <b>דנה</b> & Co', language: 'he' })
})

afterAll(async () => {
  await web.stop()
  await mailing.stop()
  await mail.stop()
  await database.drop()
})

let people = 0
async function newPerson(role?: Role, businessId = web.businessId, password = GOOD) {
  const email = `person${++people}@example.com`
  const id = await createLogin(web.deps.ctx.db, { email, name: `Person ${people}`, password })
  if (role) await web.deps.ctx.db.transaction((tx) => grantMembership(tx, within(web.deps.ctx, businessId), id, role))
  return { email, id }
}

function cookiesOf(answer: Response): string {
  return answer.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .filter((pair) => !pair?.endsWith('='))
    .join('; ')
}

let addresses = 0
/** Each from an address of its own, so that the limit per address plays no part. */
function auth(path: string, body: object, headers: Record<string, string> = {}, server = web) {
  return fetch(`${server.url}/api/auth${path}`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Origin: server.url,
      'X-Forwarded-For': `198.51.${(addresses >> 8) & 255}.${addresses++ & 255}`,
      ...headers,
    },
    body: JSON.stringify(body),
  })
}

const signIn = (email: string, password: string, headers: Record<string, string> = {}, server = web) =>
  auth('/sign-in/email', { email, password }, headers, server)

const sessionOf = async (email: string, password = GOOD) => {
  const answer = await signIn(email, password)
  expect(answer.status).toBe(200)
  return cookiesOf(answer)
}

const api = (
  path: string,
  init: { method?: string; cookie?: string; key?: string; body?: object; business?: string; server?: TestServer },
) =>
  fetch(`${(init.server ?? web).url}/api/v1${path}`, {
    method: init.method ?? (init.body ? 'POST' : 'GET'),
    headers: {
      'Content-Type': 'application/json',
      ...(init.cookie ? { cookie: init.cookie } : {}),
      ...(init.key ? { Authorization: `Bearer ${init.key}` } : {}),
      ...(init.business ? { 'x-business-id': init.business } : {}),
    },
    ...(init.body ? { body: JSON.stringify(init.body) } : {}),
  })

const me = async (cookie: string) => (await api('/account', { cookie })).status

const page = (
  link: string,
  init: { fields?: Record<string, string>; cookie?: string; headers?: Record<string, string> } = {},
) =>
  fetch(web.url + new URL(link).pathname + new URL(link).search, {
    method: init.fields ? 'POST' : 'GET',
    headers: { ...(init.cookie ? { cookie: init.cookie } : {}), ...init.headers },
    redirect: 'manual',
    ...(init.fields ? { body: new URLSearchParams(init.fields) } : {}),
  })

const made = z.object({
  id: z.string(),
  email: z.string(),
  role: z.string(),
  expiresAt: z.string(),
  createdAt: z.string(),
  mail: z.string().nullable(),
  link: z.string().nullable(),
})

async function invite(key: string, email: string, role: Role = 'agent', server = web) {
  const answer = await api('/invitations', { key, body: { email, role }, server })
  expect(answer.status).toBe(201)
  const invitation = made.parse(await answer.json())
  return { ...invitation, link: invitation.link ?? '' }
}

describe('an invitation', () => {
  test('makes neither login nor member until it is accepted, and works once', async () => {
    const key = await web.key('admin')
    const invitation = await invite(key, 'New.Hire@Example.com', 'manager')
    expect(invitation).toMatchObject({ email: 'new.hire@example.com', role: 'manager', mail: null })
    expect(invitation.link).toMatch(/\/admin\/invite\/[\w-]{43}$/)
    const count = async () =>
      (await web.deps.database.sql`select count(*)::int as n from auth_users where email = 'new.hire@example.com'`)[0]
        ?.n
    // Looking at it, by a person or by a mail scanner, changes nothing.
    for (let look = 0; look < 3; look++) expect((await page(invitation.link)).status).toBe(200)
    expect(await count()).toBe(0)
    const accepted = await page(invitation.link, { fields: { name: 'New Hire', password: GOOD } })
    expect(accepted.status).toBe(303)
    const cookie = cookiesOf(accepted)
    const who = await (await api('/account', { cookie })).json()
    expect(who).toMatchObject({ role: 'manager', user: { name: 'New Hire', email: 'new.hire@example.com' } })
    expect((await page(invitation.link)).status).toBe(410)
    expect((await page(invitation.link, { fields: { name: 'x', password: GOOD } })).status).toBe(410)
  })

  test('never takes over a login, and never joins one silently', async () => {
    const person = await newPerson()
    const theirs = await sessionOf(person.email)
    const other = await invite(await web.key('admin', otherId), person.email, 'viewer')
    const wrong = await page(other.link, { fields: { name: 'Mallory', password: 'attacker known pw 7' } })
    expect(wrong.status).toBe(401)
    expect((await signIn(person.email, 'attacker known pw 7')).status).toBe(401)
    expect((await signIn(person.email, GOOD)).status).toBe(200)
    expect(await membershipsOf(web.deps.ctx, person.id)).toEqual([])
    // Signed in as another person is not signed in as the invited one.
    const stranger = await newPerson()
    const strangers = await sessionOf(stranger.email)
    expect((await page(other.link, { fields: {}, cookie: strangers })).status).toBe(401)
    expect(await membershipsOf(web.deps.ctx, person.id)).toEqual([])
    // The address's owner accepts with a session, and keeps the name.
    const asked = await (await page(other.link, { cookie: theirs })).text()
    expect(asked).toContain(`Person ${people - 1}`)
    expect((await page(other.link, { fields: {}, cookie: theirs })).status).toBe(303)
    expect(await membershipsOf(web.deps.ctx, person.id)).toMatchObject([{ businessId: otherId, role: 'viewer' }])
  })

  test('is accepted by signing in on its page, with the second factor where there is one', async () => {
    const person = await newPerson()
    const cookie = await sessionOf(person.email)
    const enabled = await auth('/two-factor/enable', { password: GOOD }, { cookie })
    const secret = new URL(z.object({ totpURI: z.string() }).parse(await enabled.json()).totpURI).searchParams.get(
      'secret',
    )
    const code = await oneTimeCode(secret ?? '')
    expect((await auth('/two-factor/verify-totp', { code }, { cookie })).status).toBe(200)
    const invitation = await invite(await web.key('admin', otherId), person.email)
    const half = await page(invitation.link, { fields: { password: GOOD } })
    expect(half.status).toBe(200)
    expect(await half.text()).toContain('name="code"')
    expect(await membershipsOf(web.deps.ctx, person.id)).toEqual([])
    const used = await page(invitation.link, { fields: { code }, cookie: cookiesOf(half) })
    expect(used.status).toBe(401)
    const next = await oneTimeCode(secret ?? '', 1)
    const done = await page(invitation.link, { fields: { code: next }, cookie: cookiesOf(half) })
    expect(done.status).toBe(303)
    expect(await membershipsOf(web.deps.ctx, person.id)).toHaveLength(1)
  })

  test('tells neither its maker nor its holder whether the address has a login', async () => {
    const person = await newPerson('owner', otherId)
    const key = await web.key('admin')
    const known = await invite(key, person.email, 'viewer')
    const unknown = await invite(key, 'without.login@example.com', 'viewer')
    const shape = (invitation: object) => Object.fromEntries(Object.entries(invitation).map(([k, v]) => [k, typeof v]))
    expect(shape(known)).toEqual(shape(unknown))
    const pageOf = async (link: string, email: string) =>
      (await (await page(link)).text()).replaceAll(email, 'X').replace(/nonce="[^"]+"/, '')
    expect(await pageOf(known.link, person.email)).toBe(await pageOf(unknown.link, 'without.login@example.com'))
    const refused = async (link: string, email: string, password: string) => {
      const answer = await page(link, { fields: { name: 'x', password } })
      return `${answer.status} ${(await answer.text()).replaceAll(email, 'X').replace(/nonce="[^"]+"/, '')}`
    }
    for (const password of ['password123', '', ' ', 'x'.repeat(5_000)]) {
      const answer = await refused(known.link, person.email, password)
      expect(answer).toStartWith('401 <!doctype html>')
      expect(answer).toBe(await refused(unknown.link, 'without.login@example.com', password))
    }
  })

  test('is listed, sent again with a new link, revoked, and ends after a week', async () => {
    const key = await web.key('admin', otherId)
    const first = await invite(key, 'pending@example.com')
    const list = async () =>
      z
        .object({ items: z.array(z.object({ id: z.string(), email: z.string() })) })
        .parse(await (await api('/invitations', { key })).json()).items
    expect((await list()).map(({ email }) => email)).toContain('pending@example.com')
    expect((await api(`/invitations/${first.id}/resend`, { key, body: {} })).status).toBe(429)
    await web.deps.database
      .sql`update member_invitations set updated_at = now() - interval '2 minutes' where id = ${first.id}`
    const again = made.parse(await (await api(`/invitations/${first.id}/resend`, { key, body: {} })).json())
    expect((await page(first.link)).status).toBe(410)
    expect((await page(again.link ?? '')).status).toBe(200)
    await web.deps.database.sql`update member_invitations set expires_at = now() where id = ${first.id}`
    expect((await page(again.link ?? '')).status).toBe(410)
    const third = await invite(key, 'pending@example.com', 'viewer')
    expect(third.id).toBe(first.id)
    expect((await page(third.link)).status).toBe(200)
    // Another tenant's owner touches none of it.
    const foreign = await web.key('admin')
    expect((await api(`/invitations/${first.id}`, { method: 'DELETE', key: foreign })).status).toBe(404)
    expect((await api(`/invitations/${first.id}`, { method: 'DELETE', key })).status).toBe(200)
    expect((await page(third.link)).status).toBe(410)
    expect((await list()).map(({ id }) => id)).not.toContain(first.id)
  })

  test('of two that accept at once one joins', async () => {
    const invitation = await invite(await web.key('admin'), 'racer@example.com')
    const answers = await Promise.all(
      [GOOD, `${GOOD} b`, `${GOOD} c`].map((password) => page(invitation.link, { fields: { name: 'R', password } })),
    )
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1)
    // The others meet a page: the login is not theirs, or the link is used.
    expect(answers.map(({ status }) => status).filter((status) => ![303, 401, 410].includes(status))).toEqual([])
    expect(answers.filter(({ headers }) => headers.get('content-type')?.includes('json'))).toEqual([])
  })

  test('is audited: who made it, whether its maker saw the link, and who accepted it with which login', async () => {
    const key = await web.key('admin')
    const invitation = await invite(key, 'audited@example.com', 'agent')
    expect((await page(invitation.link, { fields: { name: 'A', password: GOOD } })).status).toBe(303)
    const person = await newPerson()
    const known = await invite(key, person.email, 'viewer', mailing)
    const trail = async (id: string) =>
      (
        await web.deps.database.sql`select action, actor_kind, data from audit_log where entity_id = ${id} order by id`
      ).map((row) => ({ ...row }))
    expect(await trail(invitation.id)).toEqual([
      { action: 'member.invite', actor_kind: 'api_key', data: { role: 'agent', linkShown: true } },
      { action: 'member.accept_invitation', actor_kind: 'user', data: { role: 'agent', newLogin: true } },
    ])
    expect(await trail(known.id)).toEqual([
      { action: 'member.invite', actor_kind: 'api_key', data: { role: 'viewer', linkShown: false } },
    ])
  })

  test('is no way to flood strangers', async () => {
    const quiet = await createBusiness(web.deps.ctx, { name: 'Flood', language: 'en' })
    const key = await web.key('admin', quiet)
    const statuses = await Promise.all(
      Array.from({ length: 35 }, (_, index) =>
        api('/invitations', { key, body: { email: `flood${index}@example.com`, role: 'agent' } }).then((a) => a.status),
      ),
    )
    expect(statuses.filter((status) => status === 201)).toHaveLength(30)
    expect(statuses.filter((status) => status === 429)).toHaveLength(5)
  })

  test('pages cannot be framed, kept, leaked or posted to from elsewhere', async () => {
    const invitation = await invite(await web.key('admin'), 'framed@example.com')
    const reset = await makeResetLink(web.deps.ctx, (await newPerson()).email, web.deps.links)
    for (const link of [invitation.link, reset.link, `${web.url}/admin/forgot`, `${web.url}/admin/invite/wrong`]) {
      const answer = await page(link)
      expect(answer.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.get('referrer-policy')).toBe('same-origin')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      const text = await answer.text()
      expect(text).not.toMatch(/(src|href|action)="(https?:)?\/\//)
      const foreign = await page(link, {
        fields: { name: 'x', password: GOOD },
        headers: { Origin: 'https://evil.example' },
      })
      expect(foreign.status).toBe(403)
    }
    expect((await page(invitation.link)).status).toBe(200)
  })

  test('is in the language of the business, right to left, with every name as text', async () => {
    const invitation = await invite(await web.key('admin', otherId), 'hebrew@example.com', 'manager')
    const hebrew = await (await page(invitation.link)).text()
    expect(hebrew).toContain('<html lang="he" dir="rtl">')
    expect(hebrew).toContain('מספרת &lt;b&gt;דנה&lt;/b&gt; &amp; Co')
    expect(await (await page(`${invitation.link}?lang=en`)).text()).toContain('<html lang="en" dir="ltr">')
  })
})

describe('mail', () => {
  const mailOf = async (subjectId: string) => {
    const [row] = await web.deps.database.sql<{ id: string; state: string; sealed: string; error: string | null }[]>`
      select id, state, sealed, error from mails where subject_id = ${subjectId} order by id desc limit 1`
    if (!row) throw new Error('no mail')
    return row
  }
  const send = (id: string) =>
    sendMail(mailing.deps.ctx, id, { mailer: mailing.deps.mailer, box: mailing.deps.mailBox })

  test('carries the link, and the link is nowhere else', async () => {
    const key = await web.key('admin', otherId)
    const invitation = await invite(key, 'mailed@example.com', 'manager', mailing)
    expect(invitation).toMatchObject({ link: '', mail: 'pending' })
    const row = await mailOf(invitation.id)
    expect(row.sealed).toStartWith('v1.')
    expect(await send(row.id)).toBe('sent')
    expect(await send(row.id)).toBe('done')
    const [last] = mail.received.slice(-1)
    expect(last?.to).toEqual(['mailed@example.com'])
    const { headers, text, html } = partsOf(last?.raw ?? '')
    expect(headers).toContain(`Message-ID: <${row.id}@shop.example>`)
    expect(headers).toContain('Auto-Submitted: auto-generated')
    expect(html).toContain('<html lang="he" dir="rtl">')
    expect(html).toContain('מספרת &lt;b&gt;דנה&lt;/b&gt; &amp; Co')
    const link = /https?:\S+\/admin\/invite\/[\w-]{43}/.exec(text)?.[0] ?? ''
    expect(html).toContain(link)
    expect((await page(link)).status).toBe(200)
    expect(await mailOf(invitation.id)).toMatchObject({ state: 'sent', sealed: '' })
    const token = link.split('/').at(-1) ?? ''
    const dump = await web.deps.database.sql`select i::text as row from member_invitations i union all
      select m::text from mails m union all select a::text from audit_log a union all select e::text from events e`
    expect(dump.filter(({ row }) => String(row).includes(token))).toEqual([])
  })

  test('refused for good ends; refused for now is tried again; canceled is not sent', async () => {
    const key = await web.key('admin', otherId)
    const refused = await invite(key, 'refused@example.com', 'agent', mailing)
    mail.recipientStatus = 550
    expect(await send((await mailOf(refused.id)).id)).toBe('failed')
    const row = await mailOf(refused.id)
    expect(row).toMatchObject({ state: 'failed', sealed: '' })
    expect(row.error).not.toContain('refused@example.com')
    const later = await invite(key, 'later@example.com', 'agent', mailing)
    mail.recipientStatus = 451
    const id = (await mailOf(later.id)).id
    await expect(send(id)).rejects.toMatchObject({ code: 'mail_unavailable' })
    await Bun.sleep(50)
    mail.recipientStatus = 250
    expect(await send(id)).toBe('sent')
    const withdrawn = await invite(key, 'withdrawn@example.com', 'agent', mailing)
    const sent = mail.received.length
    await api(`/invitations/${withdrawn.id}`, { method: 'DELETE', key })
    expect(await send((await mailOf(withdrawn.id)).id)).toBe('done')
    expect(mail.received).toHaveLength(sent)
  })

  test('whose job is lost is put back', async () => {
    const invitation = await invite(await web.key('admin', otherId), 'lost@example.com', 'agent', mailing)
    const { id } = await mailOf(invitation.id)
    await web.deps.database.sql`update mails set updated_at = now() - interval '3 minutes' where id = ${id}`
    const queued: string[] = []
    const ctx = {
      ...web.deps.ctx,
      enqueue: async (_: string, payload: object) => void queued.push(JSON.stringify(payload)),
    }
    expect(await requeueMails(ctx)).toBeGreaterThan(0)
    expect(queued).toContain(JSON.stringify({ mailId: id }))
  })

  test('a forgotten password: the same answer for every address, a mail for those with a login, and few of them', async () => {
    const person = await newPerson()
    const ask = (email: string) =>
      fetch(`${mailing.url}/admin/forgot`, { method: 'POST', body: new URLSearchParams({ email }) })
        .then((answer) => answer.text())
        .then((text) => text.replace(/nonce="[^"]+"/, ''))
    const known = await ask(person.email.toUpperCase())
    expect(await ask('unknown@example.com')).toBe(known)
    expect(await ask('no address')).toBe(known)
    for (let again = 0; again < 4; again++) await ask(person.email)
    const rows = await web.deps.database.sql<{ id: string }[]>`select m.id from mails m
      join auth_password_resets r on r.id = m.subject_id where r.user_id = ${person.id}`
    expect(rows).toHaveLength(3)
    expect(await send(rows[0]?.id ?? '')).toBe('sent')
    const link = /https?:\S+\/admin\/reset\/[\w-]{43}/.exec(partsOf(mail.received.at(-1)?.raw ?? '').text)?.[0] ?? ''
    expect((await page(link, { fields: { password: `${GOOD} new` } })).status).toBe(200)
    expect((await signIn(person.email, `${GOOD} new`)).status).toBe(200)
  })
})

describe('a new password', () => {
  test('by link ends every session and every other link, and the link works once', async () => {
    const person = await newPerson('agent')
    const first = await sessionOf(person.email)
    const second = await sessionOf(person.email)
    const links = [
      await makeResetLink(web.deps.ctx, person.email, web.deps.links),
      await makeResetLink(web.deps.ctx, person.email, web.deps.links),
    ].map(({ link }) => link)
    expect(await me(first)).toBe(200)
    const weak = await page(links[0] ?? '', { fields: { password: 'password123' } })
    expect(weak.status).toBe(400)
    expect(await me(first)).toBe(200)
    expect((await page(links[0] ?? '', { fields: { password: `${GOOD} two` } })).status).toBe(200)
    expect([await me(first), await me(second)]).toEqual([401, 401])
    for (const link of links) expect((await page(link, { fields: { password: `${GOOD} three` } })).status).toBe(410)
    expect((await signIn(person.email, GOOD)).status).toBe(401)
    expect((await signIn(person.email, `${GOOD} two`)).status).toBe(200)
  })

  test('by its owner ends the other sessions, whatever the request asks for', async () => {
    const person = await newPerson('agent')
    const other = await sessionOf(person.email)
    const cookie = await sessionOf(person.email)
    const { link } = await makeResetLink(web.deps.ctx, person.email, web.deps.links)
    const change = (newPassword: string, more: object = {}) =>
      auth('/change-password', { currentPassword: GOOD, newPassword, ...more }, { cookie })
    for (const bad of ['short', 'aaaaaaaaaaaa', 'password123', person.email, 'agentlocator1', 'x'.repeat(129)])
      expect({ bad, status: (await change(bad)).status }).toEqual({ bad, status: 400 })
    const changed = await change(`${GOOD} four`, { revokeOtherSessions: false })
    expect(changed.status).toBe(200)
    expect(await me(other)).toBe(401)
    expect(await me(cookiesOf(changed))).toBe(200)
    expect((await page(link)).status).toBe(410)
  })

  test('is judged without holding up what else the process does', async () => {
    let over = false
    let turns = 0
    const count = () => {
      turns += 1
      if (!over) setImmediate(count)
    }
    setImmediate(count)
    // Takes the estimate some 30 ms; judged here, the loop would turn a handful of times at most.
    await expect(checkNewPassword('aB3$'.repeat(32), [])).rejects.toMatchObject({ code: 'password_too_common' })
    over = true
    expect(turns).toBeGreaterThan(100)
  })

  test('a lost second factor goes with the operator’s link alone', async () => {
    const person = await newPerson('agent')
    const cookie = await sessionOf(person.email)
    const enabled = await auth('/two-factor/enable', { password: GOOD }, { cookie })
    const secret = new URL(z.object({ totpURI: z.string() }).parse(await enabled.json()).totpURI).searchParams.get(
      'secret',
    )
    await auth('/two-factor/verify-totp', { code: await oneTimeCode(secret ?? '') }, { cookie })
    const kept = await makeResetLink(web.deps.ctx, person.email, web.deps.links)
    await page(kept.link, { fields: { password: `${GOOD} five` } })
    expect(await (await signIn(person.email, `${GOOD} five`)).json()).toMatchObject({ twoFactorRedirect: true })
    const { link } = await makeResetLink(web.deps.ctx, person.email, web.deps.links, { withoutSecondFactor: true })
    await page(link, { fields: { password: `${GOOD} six` } })
    expect(await (await signIn(person.email, `${GOOD} six`)).json()).toMatchObject({ user: { email: person.email } })
  })
})

describe('guessing', () => {
  test('an account takes ten failures from everywhere, in all processes, whether it exists or not', async () => {
    const person = await newPerson()
    for (const email of [person.email, 'does.not.exist@example.com']) {
      const statuses: number[] = []
      for (let index = 0; index < 13; index++)
        statuses.push(
          (await signIn(index % 2 ? email : email.toUpperCase(), `wrong ${index}`, {}, index % 3 ? web : mailing))
            .status,
        )
      expect(statuses).toEqual([...Array(10).fill(401), 429, 429, 429])
    }
    expect((await signIn(person.email, GOOD)).status).toBe(429)
  })

  test('at once is guessing too', async () => {
    const person = await newPerson()
    const statuses = await Promise.all(
      Array.from({ length: 40 }, (_, i) => signIn(person.email, `w${i}`).then((a) => a.status)),
    )
    expect(statuses.filter((status) => status === 401)).toHaveLength(10)
    expect(statuses.filter((status) => status === 429)).toHaveLength(30)
  })

  test('does not lock the owner out of a device that was used before', async () => {
    const person = await newPerson()
    const device = cookiesOf(await signIn(person.email, GOOD))
      .split('; ')
      .filter((pair) => pair.includes('device'))
      .join('; ')
    expect(device).not.toBe('')
    for (let index = 0; index < 11; index++) await signIn(person.email, `wrong ${index}`)
    expect((await signIn(person.email, GOOD)).status).toBe(429)
    expect((await signIn(person.email, GOOD, { cookie: device })).status).toBe(200)
    // A stranger's device is none of the owner's, and a changed cookie is none at all.
    const stranger = await newPerson()
    const theirs = cookiesOf(await signIn(stranger.email, GOOD))
    expect((await signIn(person.email, GOOD, { cookie: theirs })).status).toBe(429)
    expect(
      (await signIn(person.email, GOOD, { cookie: device.replace(/.$/, (x) => (x === 'A' ? 'B' : 'A')) })).status,
    ).toBe(429)
    // A known device has its own ten.
    const statuses: number[] = []
    for (let index = 0; index < 12; index++)
      statuses.push((await signIn(person.email, `wrong ${index}`, { cookie: device })).status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(10)
  })

  test('ends after a quarter of an hour, and leaves no rows', async () => {
    const person = await newPerson()
    for (let index = 0; index < 11; index++) await signIn(person.email, `wrong ${index}`)
    await web.deps.database.sql`update auth_account_attempts set since = since - interval '16 minutes'`
    expect((await signIn(person.email, GOOD)).status).toBe(200)
    await web.deps.database.sql`update auth_account_attempts set since = since - interval '2 days'`
    expect(await pruneAttempts(web.deps.ctx)).toBeGreaterThan(0)
    const rows = await web.deps.ctx.db.execute(sql`select 1 from auth_account_attempts`)
    expect(rows).toHaveLength(0)
  })

  test('with a stolen session is counted on every endpoint that takes the password', async () => {
    // The library's own endpoints, as they are registered.
    const { db } = web.deps.ctx
    const library = createAuth({
      db,
      secret: 'a secret of the tests',
      publicBaseUrl: web.url,
      log: createLogger('silent'),
    })
    const takesPassword = Object.values(library.api).flatMap((endpoint) => {
      const { path, options } = endpoint as { path?: string; options?: { body?: z.ZodType; use?: unknown[] } }
      const body = options?.body ? JSON.stringify(z.toJSONSchema(options.body, { unrepresentable: 'any' })) : ''
      return path && /"(current)?password"/i.test(body) ? [path] : []
    })
    // These are before a session, and have limits of their own or are closed.
    const before = ['/sign-in/email', '/sign-up/email']
    expect(takesPassword.filter((path) => !before.includes(path)).toSorted()).toEqual([...PASSWORD_PATHS].toSorted())
    const person = await newPerson('agent')
    const cookie = await sessionOf(person.email)
    const statuses: number[] = []
    for (let index = 0; index < 12; index++)
      statuses.push((await auth('/two-factor/enable', { password: `wrong ${index}` }, { cookie })).status)
    expect(statuses.slice(10)).toEqual([429, 429])
    expect(statuses.slice(0, 10)).not.toContain(429)
  })

  test('a one-time code works once, also at the same time in two processes', async () => {
    const person = await newPerson('agent')
    const cookie = await sessionOf(person.email)
    const enabled = await auth('/two-factor/enable', { password: GOOD }, { cookie })
    const secret = new URL(z.object({ totpURI: z.string() }).parse(await enabled.json()).totpURI).searchParams.get(
      'secret',
    )
    await auth('/two-factor/verify-totp', { code: await oneTimeCode(secret ?? '') }, { cookie })
    const code = await oneTimeCode(secret ?? '', 1)
    const halves = await Promise.all(
      [web, mailing, web, mailing].map((server) => signIn(person.email, GOOD, {}, server)),
    )
    const statuses = await Promise.all(
      halves.map((half, index) =>
        auth('/two-factor/verify-totp', { code }, { cookie: cookiesOf(half) }, index % 2 ? mailing : web).then(
          (a) => a.status,
        ),
      ),
    )
    expect(statuses.toSorted()).toEqual([200, 401, 401, 401])
    // The same digits of another person stay valid.
    expect(
      (await web.deps.database.sql`select 1 from auth_used_codes where user_id <> ${person.id}`).length,
    ).toBeGreaterThanOrEqual(0)
  })
})

describe('an owner', () => {
  test('needs a second factor where the business says so', async () => {
    const person = await newPerson('owner', otherId)
    const cookie = await sessionOf(person.email)
    const require = (required: boolean) =>
      api('/members/second-factor', { method: 'PUT', cookie, business: otherId, body: { required } })
    expect((await require(true)).status).toBe(409)
    const enabled = await auth('/two-factor/enable', { password: GOOD }, { cookie })
    const secret = new URL(z.object({ totpURI: z.string() }).parse(await enabled.json()).totpURI).searchParams.get(
      'secret',
    )
    const on = await auth('/two-factor/verify-totp', { code: await oneTimeCode(secret ?? '') }, { cookie })
    const strong = cookiesOf(on)
    expect(
      (
        await api('/members/second-factor', {
          method: 'PUT',
          cookie: strong,
          business: otherId,
          body: { required: true },
        })
      ).status,
    ).toBe(200)
    const weak = await newPerson('owner', otherId)
    const theirs = await sessionOf(weak.email)
    expect((await api('/invitations', { cookie: theirs, business: otherId })).status).toBe(403)
    expect((await api('/invitations', { cookie: strong, business: otherId })).status).toBe(200)
    expect((await api('/members', { cookie: theirs, business: otherId })).status).toBe(200)
  })

  test('lists and ends sessions; a login that is made leaves none', async () => {
    const person = await newPerson('agent')
    const rows = await web.deps.database.sql`select 1 from auth_sessions where user_id = ${person.id}`
    expect(rows).toHaveLength(0)
    const one = await sessionOf(person.email)
    const two = await sessionOf(person.email)
    const listed = await fetch(`${web.url}/api/auth/list-sessions`, { headers: { cookie: one, Origin: web.url } })
    expect(z.array(z.object({ id: z.string() })).parse(await listed.json())).toHaveLength(2)
    expect((await auth('/revoke-other-sessions', {}, { cookie: one })).status).toBe(200)
    expect([await me(one), await me(two)]).toEqual([200, 401])
  })

  test('of an invitation’s token finds nothing by its hash', async () => {
    const invitation = await invite(await web.key('admin'), 'hash@example.com')
    const [row] = await web.deps.database.sql<{ token_hash: string }[]>`
      select token_hash from member_invitations where id = ${invitation.id}`
    expect(await findInvitation(web.deps.ctx, row?.token_hash ?? '')).toBeNull()
  })
})
