import { afterAll, beforeAll, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { conversations, webhookEndpoints } from '../../../db/schema/index.ts'
import { createContact, listContacts, readConsentWord, setOptOut } from '../../../src/domain/contacts/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { takeInbound } from '../../../src/domain/messages/receive-message.ts'
import { receiveMessageFastPath } from '../../../src/domain/messages/receive-message-fast-path.ts'
import { countsAsUnread, receiveMessageInSteps } from '../../../src/domain/messages/receive-message-steps.ts'
import { type AskedMessage, requestMessageFastPath } from '../../../src/domain/messages/request-message-fast-path.ts'
import { requestMessageInSteps } from '../../../src/domain/messages/request-message-steps.ts'
import { eraseContact } from '../../../src/domain/privacy/index.ts'
import type { InboundMessage } from '../../../src/jobs/registry.ts'
import { AppError, isOvertaken } from '../../../src/lib/errors.ts'
import { newId } from '../../../src/lib/ids.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

// A failure prints its seed and path; give them to `fc.assert` to see it again.
const RUNS = 40
// Two spellings each of a Brazilian and a Mexican number, which name one person.
const PHONES = ['+972501234567', '+5511987654321', '+551187654321', '+525512345678', '+5215512345678']
const START = Date.UTC(2026, 0, 1)

const person = fc
  .record({
    phone: fc.constantFrom(null, ...PHONES),
    lid: fc.constantFrom(undefined, null, '1@lid', '2@lid'),
    externalId: fc.constantFrom(undefined, 'x1'),
    name: fc.constantFrom(undefined, null, 'Dana', '+972 50-123-4567'),
  })
  .filter(({ phone, lid, externalId }) => Boolean(phone ?? lid ?? externalId))

const receive = fc.record({
  verb: fc.constant('receive' as const),
  from: person,
  key: fc.constantFrom(...'abcdefghijklmnop'),
  provider: fc.constantFrom('twilio' as const, 'baileys' as const),
  kind: fc.constantFrom('text', 'reaction', 'edit', 'location', 'deletion'),
  body: fc.constantFrom('', 'שלום, מה שלומך?', 'stop', '“quotes” \\ {"json": 1} \u0000 🙂', 'x'.repeat(3_000)),
  replyTo: fc.constantFrom(undefined, null, 'wa-a', 'wa-b', 'elsewhere'),
  data: fc.constantFrom(undefined, { location: { latitude: 32.1, name: 'א“"' } }),
  secret: fc.constantFrom(undefined, null, 'sealed'),
  minute: fc.integer({ min: 0, max: 600 }),
  history: fc.boolean(),
})
const request = fc.record({
  verb: fc.constant('request' as const),
  to: fc.constantFrom(...PHONES),
  provider: fc.constantFrom('twilio' as const, 'baileys' as const),
  body: fc.constantFrom('', 'Your appointment is at nine.', '“quotes” \\ 🙂'),
  template: fc.constantFrom<AskedMessage['template']>(null, {
    contentSid: `HX${'0'.repeat(32)}`,
    variables: { 1: 'a "b"' },
  }),
  outboundMedia: fc.constantFrom<AskedMessage['outboundMedia']>(null, [
    { url: 'https://files.example/a.pdf', contentType: 'application/pdf' },
  ]),
  replyTo: fc.constantFrom(null, 'wa-a'),
  idempotencyKey: fc.constantFrom(null, null, 'k1', 'k2'),
  minute: fc.integer({ min: 0, max: 600 }),
})
const other = fc.oneof(
  fc.record({ verb: fc.constant('add contact' as const), phone: fc.constantFrom(...PHONES) }),
  fc.record({ verb: fc.constantFrom('opt out' as const, 'erase' as const), contact: fc.nat(3) }),
  fc.record({
    verb: fc.constant('set aside' as const),
    status: fc.constantFrom('closed' as const, 'snoozed' as const),
  }),
  fc.record({ verb: fc.constant('change' as const), from: person, key: fc.constantFrom('a', 'b', 'c', 'd') }),
)
type Step =
  typeof receive extends fc.Arbitrary<infer R> ? R | (typeof request extends fc.Arbitrary<infer Q> ? Q : never) : never
type Other = typeof other extends fc.Arbitrary<infer O> ? O : never
type Receive = Extract<Step, { verb: 'receive' }>
type Request = Extract<Step, { verb: 'request' }>

let domain: TestDomain
/** How often the one statement wrote the message: the property must not hold for want of cases. */
const fast = { receive: 0, request: 0 }

beforeAll(async () => {
  domain = await openDomain()
})

afterAll(() => domain.close())

test(
  'a message is written by one statement as it is by steps: the same rows, events, deliveries and jobs',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(receive, receive, request, other), { minLength: 2, maxLength: 18 }),
        async (steps) => {
          const [quick, plain] = [await newBusiness(), await newBusiness()]
          const seen = { quick: [] as string[], plain: [] as string[] }
          for (const [index, step] of steps.entries()) {
            seen.quick.push(await outcomeOf(() => runStep(quick, step, index, true)))
            seen.plain.push(await outcomeOf(() => runStep(plain, step, index, false)))
          }
          expect(seen.quick).toEqual(seen.plain)
          expect(await contentsOf(quick)).toEqual(await contentsOf(plain))
        },
      ),
      { numRuns: RUNS },
    )
    for (const count of Object.values(fast)) expect(count).toBeGreaterThan(RUNS / 8)
  },
  { timeout: 240_000 },
)

async function newBusiness(): Promise<BusinessContext> {
  const ctx = await domain.newBusiness()
  await ctx.db.insert(webhookEndpoints).values({
    id: newId(),
    businessId: ctx.businessId,
    url: 'https://hooks.example/a',
    types: ['message.*'],
    secret: 'sealed',
  })
  return ctx
}

async function outcomeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
    return 'done'
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
}

async function runStep(ctx: BusinessContext, step: Step | Other, index: number, quick: boolean): Promise<unknown> {
  switch (step.verb) {
    case 'receive':
      return await receiveStep(ctx, step, quick)
    case 'request':
      return await requestStep(ctx, step, quick)
    case 'add contact':
      return await createContact(ctx, { phone: step.phone, ...(index % 2 ? { name: 'Noa' } : {}) })
    case 'set aside':
      return await ctx.db
        .update(conversations)
        .set({ status: step.status, snoozedUntil: step.status === 'snoozed' ? new Date(START) : null })
        .where(sql`business_id = ${ctx.businessId}`)
    case 'change':
      return await takeInbound(ctx, {
        ...inbound(ctx, step.from, step.key),
        kind: 'deletion',
        replyTo: `wa-${step.key}`,
      })
    default: {
      const { items } = await listContacts(ctx, {})
      const contact = items.toReversed()[step.contact]
      if (!contact) return
      return step.verb === 'erase' ? await eraseContact(ctx, contact.id) : await setOptOut(ctx, contact.id, true)
    }
  }
}

function inbound(ctx: BusinessContext, from: InboundMessage['from'], key: string): InboundMessage {
  return {
    provider: 'twilio',
    businessId: ctx.businessId,
    dedupeKey: `dedupe-${key}`,
    providerMessageId: `wa-${key}`,
    kind: 'text',
    from,
    body: '',
    media: [],
    at: new Date(START).toISOString(),
  }
}

async function receiveStep(ctx: BusinessContext, step: Receive, quick: boolean) {
  const { provider, kind, body, replyTo, data, secret } = step
  const message: InboundMessage = {
    ...inbound(ctx, step.from, step.key),
    ...{ provider, kind, replyTo, data, secret },
    // An edit without a target is written as a message; one with a target never takes the one statement.
    ...(kind === 'edit' || kind === 'deletion' ? { replyTo: null } : {}),
    body: body.replaceAll('\u0000', ''),
    at: new Date(START + step.minute * 60_000).toISOString(),
  }
  const { history } = step
  const consents = !history && readConsentWord(body) !== null
  const isUnread = !history && countsAsUnread(message)
  const id = newId()
  const written =
    quick && !consents
      ? await ifStanding(receiveMessageFastPath(ctx, message, { id, isNew: !history, isUnread }))
      : null
  if (written) fast.receive += 1
  else await receiveMessageInSteps(ctx, message, { id, history }, { consents, change: null })
}

async function requestStep(ctx: BusinessContext, step: Request, quick: boolean) {
  const { provider, body, template, outboundMedia, replyTo, idempotencyKey, to } = step
  const row = {
    ...{ provider, body, template, outboundMedia, replyTo, idempotencyKey },
    id: newId(),
    accountId: null,
    kind: template ? 'template' : outboundMedia ? 'media' : 'text',
    requestHash: 'hash',
    occurredAt: new Date(START + step.minute * 60_000),
    partOf: null,
    part: 0,
  } satisfies AskedMessage & { partOf: null; part: number }
  const status = quick ? await ifStanding(requestMessageFastPath(ctx, to, row)) : null
  if (status) fast.request += 1
  else await requestMessageInSteps(ctx, to, [row])
}

/** Null where another write came between: the steps decide then. */
async function ifStanding<T>(written: Promise<T>): Promise<T | null> {
  return await written.catch((error: unknown) => {
    if (isOvertaken(error)) return null
    throw error
  })
}

const TABLES = {
  contacts: 'id',
  contact_identities: 'kind, value',
  conversations: 'id',
  messages: 'dedupe_key, idempotency_key, id',
  message_media: 'id',
  early_deletions: 'provider_message_id',
  audit_log: 'id',
  events: 'seq',
}

/** All that a business has, its ids replaced by their order of appearance, without the times of writing. */
async function contentsOf(ctx: BusinessContext): Promise<unknown> {
  const contents: Record<string, unknown> = { jobs: jobsOf(ctx) }
  for (const [table, order] of Object.entries(TABLES))
    contents[table] = await ctx.db.execute(
      sql.raw(`select to_jsonb(row) - '{created_at,updated_at,seq,xid,erased_at,opted_out_at}'::text[] as row
        from ${table} as row where business_id = '${ctx.businessId}' order by ${order}`),
    )
  contents.deliveries = await ctx.db.execute(sql`select event.type, event.entity_id from webhook_deliveries delivery
    join events event on event.seq = delivery.event_seq where event.business_id = ${ctx.businessId} order by event.seq`)
  const names = new Map<string, string>()
  const text = JSON.stringify(contents).replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
    const name = names.get(id) ?? `id ${names.size}`
    names.set(id, name)
    return name
  })
  // Times other than those of the messages are when the test ran.
  return JSON.parse(text.replace(/"(?!2026-01-01)\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)"/g, '"now"'))
}

function jobsOf(ctx: BusinessContext): unknown[] {
  return domain.queued.filter(({ payload }) => JSON.stringify(payload).includes(ctx.businessId))
}
