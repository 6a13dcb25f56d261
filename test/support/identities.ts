import type { Access } from '../../src/access/authenticate.ts'
import { createLogin } from '../../src/access/login.ts'
import { createBusiness } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import { grantMembership, ROLES, type Role, SCOPES } from '../../src/domain/members/index.ts'
import { newId } from '../../src/lib/ids.ts'
import type { TestServer } from './server.ts'

/** A caller of the API: its headers, and the reach of its person or key; null without valid credentials. */
export type Identity = {
  name: string
  headers: Record<string, string>
  access: Access | null
  /** Whether it is a person's session rather than a key. */
  session: boolean
  userId: string | null
}

export const PASSWORD = 'a long password of the tests'

/** A login with a role in a business, and a session of it. The server must trust `X-Forwarded-For` from this machine. */
export async function loginAs(web: TestServer, businessId: string, role: Role): Promise<Identity> {
  const { db } = web.deps.ctx
  const email = `${newId()}@example.com`
  const userId = await createLogin(db, { email, password: PASSWORD, name: role })
  await db.transaction((tx) => grantMembership(tx, within(web.deps.ctx, businessId), userId, role))
  const operator = role === 'owner' && businessId === web.businessId
  return {
    name: `session ${role}`,
    headers: { Cookie: await sessionOf(web, email), 'x-business-id': businessId },
    access: { role, scope: null, operator },
    session: true,
    userId,
  }
}

let logins = 0

async function sessionOf(web: TestServer, email: string): Promise<string> {
  logins++
  const answer = await fetch(`${web.url}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Origin: web.url,
      // Attempts are limited by address.
      'X-Forwarded-For': `198.51.${Math.floor(logins / 200)}.${(logins % 200) + 1}`,
    },
    body: JSON.stringify({ email, password: PASSWORD }),
  })
  if (answer.status !== 200) throw new Error(`The login answered ${answer.status}: ${await answer.text()}`)
  return answer.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
}

const ROLE_OF_SCOPE = { read: 'viewer', write: 'agent', admin: 'owner' } as const

/** Every kind of caller: anonymous, a wrong key, each scope and role in the first business and in another one. */
export async function everybody(
  web: TestServer,
  metricsToken: string,
): Promise<{ identities: Identity[]; other: string }> {
  const other = await createBusiness(web.deps.ctx, { name: 'Another', language: 'en' })
  const unknown = { access: null, session: false, userId: null }
  const identities: Identity[] = [
    { name: 'anonymous', headers: {}, ...unknown },
    { name: 'a wrong key', headers: { Authorization: 'Bearer al_unknown' }, ...unknown },
    { name: 'a wrong cookie', headers: { Cookie: 'agentlocator.session_token=x.y' }, ...unknown },
    { name: 'the metrics token', headers: { Authorization: `Bearer ${metricsToken}` }, ...unknown },
  ]
  for (const [name, businessId] of [
    ['A', web.businessId],
    ['B', other],
  ] as const) {
    for (const scope of SCOPES) {
      const operator = scope === 'admin' && businessId === web.businessId
      identities.push({
        name: `${name}: key ${scope}`,
        headers: { Authorization: `Bearer ${await web.key(scope, businessId)}` },
        access: { role: ROLE_OF_SCOPE[scope], scope, operator },
        session: false,
        userId: null,
      })
    }
    for (const role of ROLES) {
      const identity = await loginAs(web, businessId, role)
      identities.push({ ...identity, name: `${name}: ${identity.name}` })
    }
  }
  return { identities, other }
}
