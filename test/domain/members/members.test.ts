import { beforeAll, expect, test } from 'bun:test'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { within } from '../../../src/domain/context.ts'
import {
  acceptInvitation,
  acceptWithNewLogin,
  countAttempt,
  findInvitation,
  forgiveAttempt,
  grantMembership,
  insertLogin,
  inviteMember,
  type LinkDeps,
  listInvitations,
  listMembers,
  membershipsOf,
  type Role,
  removeMember,
  requireSecondFactor,
  resendInvitation,
  revokeInvitation,
  setMemberRole,
  useCode,
} from '../../../src/domain/members/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { startDomain } from '../../support/call-domain.ts'

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

const links: LinkDeps = { url: (page, token) => `https://example.com/${page}/${token}`, mailBox: null }
const tokenOf = (link: string | null) => link?.split('/').at(-1) ?? ''
const address = () => `${newId()}@example.com`

const newLogin = (email = address()) =>
  domain.ctx.db.transaction((tx) => insertLogin(tx, { email, name: 'Dana', passwordHash: 'hash' }))

async function newMember(role: Role, business = domain.business) {
  const userId = await newLogin()
  const id = await business.db.transaction((tx) => grantMembership(tx, business, userId, role))
  return { id, userId }
}

async function emptyBusiness() {
  return within(domain.ctx, await createBusiness(domain.ctx, { name: 'Another', language: 'en' }))
}

test('an invitation is accepted once, by whom it is for, and makes a member with its role', async () => {
  const email = address()
  const made = await inviteMember(domain.business, { email: ` ${email.toUpperCase()} `, role: 'agent' }, links)
  expect(made).toMatchObject({ email, role: 'agent', mail: null })
  const token = tokenOf(made.link)
  expect(await findInvitation(domain.ctx, token)).toMatchObject({ email, businessName: 'Levi Homes' })
  await expect(acceptInvitation(domain.ctx, token, await newLogin())).rejects.toMatchObject({ code: 'another_address' })
  const outcomes = await Promise.allSettled(
    [1, 2].map(() => acceptWithNewLogin(domain.ctx, token, { name: 'Dana', passwordHash: 'hash' })),
  )
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  const { items } = await listMembers(domain.business, { limit: 200 })
  expect(items.filter((member) => member.email === email).map((member) => member.role)).toEqual(['agent'])
  expect(await findInvitation(domain.ctx, token)).toBeNull()
  await expect(inviteMember(domain.business, { email, role: 'viewer' }, links)).rejects.toMatchObject({
    code: 'already_member',
  })
})

test('a link stops working when it is replaced, revoked or out of date', async () => {
  const email = address()
  const first = await inviteMember(domain.business, { email, role: 'viewer' }, links)
  const second = await inviteMember(domain.business, { email, role: 'agent' }, links)
  expect(second.id).toBe(first.id)
  expect(await findInvitation(domain.ctx, tokenOf(first.link))).toBeNull()
  expect(await findInvitation(domain.ctx, tokenOf(second.link))).toMatchObject({ role: 'agent' })
  await expect(resendInvitation(domain.business, second.id, links)).rejects.toMatchObject({ code: 'sent_just_now' })
  await domain.sql`update member_invitations set expires_at = now() - interval '1 second' where id = ${second.id}`
  expect(await findInvitation(domain.ctx, tokenOf(second.link))).toBeNull()
  expect((await listInvitations(domain.business, {})).items.map((each) => each.id)).toContain(second.id)
  await revokeInvitation(domain.business, second.id)
  await expect(revokeInvitation(domain.business, second.id)).rejects.toMatchObject({ code: 'invitation_not_found' })
})

test('the last owner stays, also when two owners leave at once', async () => {
  const business = await emptyBusiness()
  const [a, b] = [await newMember('owner', business), await newMember('owner', business)]
  const outcomes = await Promise.allSettled([setMemberRole(business, a.id, 'agent'), removeMember(business, b.id)])
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1)
  const { items } = await listMembers(business, {})
  expect(items.filter((member) => member.role === 'owner')).toHaveLength(1)
})

test('who leaves the last business is signed out; who stays in another one is not', async () => {
  const other = await emptyBusiness()
  const { id, userId } = await newMember('agent')
  const elsewhere = await other.db.transaction((tx) => grantMembership(tx, other, userId, 'viewer'))
  await domain.sql`insert into auth_sessions (id, user_id, token, expires_at)
    values (${newId()}, ${userId}, ${newId()}, now() + interval '1 day')`
  const sessions = () => domain.sql`select id from auth_sessions where user_id = ${userId}`
  await removeMember(domain.business, id)
  expect(await sessions()).toHaveLength(1)
  await removeMember(other, elsewhere)
  expect(await sessions()).toHaveLength(0)
})

test('an owner without a second factor has a manager’s rights where it is asked for', async () => {
  const business = await emptyBusiness()
  const { userId } = await newMember('owner', business)
  await expect(requireSecondFactor(business, true)).rejects.toMatchObject({ code: 'second_factor_needed' })
  await domain.sql`update auth_users set two_factor_enabled = true where id = ${userId}`
  await requireSecondFactor(business, true)
  const second = await newMember('owner', business)
  const roleOf = async (user: string) => (await membershipsOf(domain.ctx, user)).map(({ role }) => role)
  expect([await roleOf(userId), await roleOf(second.userId)]).toEqual([['owner'], ['manager']])
})

test('attempts are counted at once, forgiven when they succeed, and forgotten after their window', async () => {
  const key = `login:${newId()}`
  const limit = { max: 3, windowSeconds: 60 }
  const allowed = await Promise.all(Array.from({ length: 8 }, () => countAttempt(domain.ctx, key, limit)))
  expect(allowed.filter(Boolean)).toHaveLength(3)
  for (const _ of [1, 2]) await forgiveAttempt(domain.ctx, key)
  expect(await countAttempt(domain.ctx, key, limit)).toBe(true)
  expect(await countAttempt(domain.ctx, key, limit)).toBe(false)
  await domain.sql`update auth_account_attempts set since = now() - interval '2 minutes'`
  expect(await countAttempt(domain.ctx, key, limit)).toBe(true)
})

test('a one-time code is used up once', async () => {
  const user = await newLogin()
  const uses = await Promise.all([1, 2, 3].map(() => useCode(domain.ctx, user, '123456')))
  expect(uses.filter(Boolean)).toHaveLength(1)
})
