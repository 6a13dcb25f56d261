import { beforeAll, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { createContact } from '../../../src/domain/contacts/index.ts'
import {
  addEndpoint,
  deliverWebhook,
  listDeliveries,
  listEndpoints,
  type PostOut,
  queueDeliveries,
  removeEndpoint,
  replayDelivery,
  updateEndpoint,
} from '../../../src/domain/webhooks/index.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createSecretBox, deriveKey } from '../../../src/lib/secret-box.ts'
import { startDomain } from '../../support/call-domain.ts'

const box = createSecretBox(deriveKey('a secret of the tests', 'webhook secrets'))

let domain: Awaited<ReturnType<typeof startDomain>>
beforeAll(async () => {
  domain = await startDomain()
})

let people = 0
const newEvent = () => createContact(domain.business, { phone: `+97250${String(4_000_000 + ++people)}` })
const newEndpoint = (types: string[] | null = ['contact.create']) =>
  addEndpoint(domain.business, { url: 'https://example.com/hook', types }, box)
const deliveriesTo = async (id: string) => (await listDeliveries(domain.business, { id, limit: 50 })).items

/** A receiver that answers with this status, and what it got. */
function receiver(status: number) {
  const received: { url: string; body: string; headers: Record<string, string> }[] = []
  const post: PostOut = async (url, body, headers) => {
    received.push({ url, body, headers })
    return status
  }
  return { received, post }
}

async function newDelivery() {
  const endpoint = await newEndpoint()
  await newEvent()
  const [delivery] = await deliveriesTo(endpoint.id)
  if (!delivery) throw new Error('The event was not written for the webhook.')
  return { endpoint, ref: { endpointId: endpoint.id, eventId: delivery.eventId } }
}

test('an endpoint gets the events it asked for, from then on', async () => {
  await newEvent()
  const [some, all, other] = [await newEndpoint(), await newEndpoint(null), await newEndpoint(['call.*'])]
  const contact = await newEvent()
  expect(await deliveriesTo(some.id)).toMatchObject([{ state: 'pending', attempts: 0 }])
  expect((await deliveriesTo(all.id)).length).toBeGreaterThan(0)
  expect(await deliveriesTo(other.id)).toEqual([])
  await updateEndpoint(domain.business, some.id, { enabled: false })
  await newEvent()
  expect(await deliveriesTo(some.id)).toHaveLength(1)
  const { post, received } = receiver(204)
  await updateEndpoint(domain.business, some.id, { enabled: true })
  const [delivery] = await deliveriesTo(some.id)
  await deliverWebhook(domain.business, { endpointId: some.id, eventId: delivery?.eventId ?? '' }, { post, box })
  expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ type: 'contact.create', entityId: contact.id })
})

test('a delivery is signed over its id, time and body, and made once', async () => {
  const { endpoint, ref } = await newDelivery()
  const { post, received } = receiver(200)
  expect(await deliverWebhook(domain.business, ref, { post, box })).toBe('delivered')
  expect(await deliverWebhook(domain.business, ref, { post, box })).toBe('delivered')
  expect(received).toHaveLength(1)
  const [{ body, headers }] = received as [(typeof received)[number]]
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  const key = Buffer.from(endpoint.secret.slice('whsec_'.length), 'base64')
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
  const [stored] = await domain.sql`select secret from webhook_endpoints where id = ${endpoint.id}`
  expect(String(stored?.secret)).not.toContain(endpoint.secret.slice(6))
})

test('a receiver that refuses is tried again up to twelve times; one that is gone is switched off at once', async () => {
  const { ref } = await newDelivery()
  const refusing = receiver(500)
  for (let attempt = 1; attempt < 12; attempt++)
    await expect(deliverWebhook(domain.business, ref, { post: refusing.post, box })).rejects.toMatchObject({
      code: 'webhook_refused',
    })
  await eventsSettle(ref.endpointId)
  expect(await deliverWebhook(domain.business, ref, { post: refusing.post, box })).toBe('failed')

  const gone = await newDelivery()
  expect(await deliverWebhook(domain.business, gone.ref, { post: receiver(410).post, box })).toBe('failed')
  const { items } = await listEndpoints(domain.business, { limit: 50 })
  expect(items.find((each) => each.id === gone.endpoint.id)?.enabled).toBe(false)
})

/** Every attempt so far is written. */
async function eventsSettle(endpointId: string) {
  const [row] = await deliveriesTo(endpointId)
  expect(row).toMatchObject({ state: 'pending', attempts: 11, status: 500 })
}

test('a replay delivers again; an event of another webhook is not replayed', async () => {
  const { ref } = await newDelivery()
  const { post, received } = receiver(200)
  await deliverWebhook(domain.business, ref, { post, box })
  await replayDelivery(domain.business, ref)
  await deliverWebhook(domain.business, ref, { post, box })
  expect(received).toHaveLength(2)
  await expect(replayDelivery(domain.business, { ...ref, eventId: '999999999' })).rejects.toMatchObject({
    code: 'delivery_not_found',
  })
  const stranger = { ...domain.business, businessId: newId() }
  await expect(replayDelivery(stranger, ref)).rejects.toMatchObject({ code: 'webhook_not_found' })
  expect(await deliverWebhook(stranger, ref, { post, box })).toBe('gone')
})

test('deliveries that are written are queued once each; a removed webhook takes its deliveries along', async () => {
  const { endpoint, ref } = await newDelivery()
  domain.jobs.length = 0
  await queueDeliveries(domain.ctx)
  expect(domain.jobs).toContainEqual({
    name: 'webhook.deliver',
    payload: { businessId: domain.businessId, ...ref },
  })
  await removeEndpoint(domain.business, endpoint.id)
  await expect(deliveriesTo(endpoint.id)).rejects.toMatchObject({ code: 'webhook_not_found' })
  expect(await deliverWebhook(domain.business, ref, { post: receiver(200).post, box })).toBe('gone')
})

test('webhooks that are removed at once neither block each other nor fail the changes beside them', async () => {
  const endpoints = await Promise.all(Array.from({ length: 12 }, () => newEndpoint(null)))
  const stays = await newEndpoint(null)
  const contacts = await Promise.all(
    endpoints.map(async ({ id }) => {
      const [contact] = await Promise.all([newEvent(), removeEndpoint(domain.business, id)])
      return contact.id
    }),
  )
  const created = await domain.sql`select e.entity_id from webhook_deliveries d join events e on e.seq = d.event_seq
    where d.endpoint_id = ${stays.id} and e.type = 'contact.create'`
  expect(created.map((row) => String(row.entity_id)).sort()).toEqual(contacts.sort())
  await removeEndpoint(domain.business, stays.id)
})

test('a delivery that is replayed while its webhook is removed fails neither', async () => {
  for (let round = 0; round < 10; round++) {
    const { endpoint, ref } = await newDelivery()
    const replayed = Promise.all(Array.from({ length: 3 }, () => replayDelivery(domain.business, ref))).catch(
      (error: unknown) => error,
    )
    await removeEndpoint(domain.business, endpoint.id)
    const outcome = await replayed
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'webhook_not_found' })
  }
})
