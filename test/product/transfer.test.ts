import { afterAll, beforeAll, expect, test } from 'bun:test'
import { NUMBER, type Product, startProduct } from '../support/product.ts'

let product: Product
let business = ''

beforeAll(async () => {
  product = await startProduct({ workers: ['crm', 'recordings'], queue: 'postgres' })
  const [row] = await product.sql`select id from businesses order by id limit 1`
  business = String(row?.id)
}, 60_000)
afterAll(() => product.stop())

const dialEnded = (status: string, mode: 'right' | 'wrong' = 'right') =>
  product.post(
    `/webhook/dial_ended?business=${business}`,
    {
      CallSid: `CA${'7'.repeat(32)}`,
      From: '+972501234567',
      To: NUMBER,
      CallStatus: 'in-progress',
      DialCallStatus: status,
    },
    mode,
  )

test.each(['no-answer', 'busy', 'failed', 'canceled'])(
  'a person who is %s: the caller leaves a message',
  async (status) => {
    const answer = await dialEnded(status)
    expect(answer.status).toBe(200)
    const twiml = await answer.text()
    expect(twiml).toContain(`/prompts/${business}/`)
    expect(twiml).toContain('<Record')
  },
)

test('a person who has talked: the call is over, however often that is reported', async () => {
  for (let i = 0; i < 2; i++) expect(await (await dialEnded('completed')).text()).toContain('<Hangup')
})

test('no one but the carrier may say how a dial ended', async () => {
  expect((await dialEnded('no-answer', 'wrong')).status).toBe(403)
})

test('the person hears whose caller it is', async () => {
  const answer = await product.post(
    `/webhook/whisper?business=${business}`,
    { CallSid: `CA${'7'.repeat(32)}` },
    'right',
  )
  const twiml = await answer.text()
  expect(twiml).toContain('/whisper.wav')
  expect(twiml).not.toContain('<Record')
})
