import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { DelayJob, JobContext } from '../../../src/jobs/consumer.ts'
import { newId } from '../../../src/lib/ids.ts'
import { createLogger } from '../../../src/lib/log.ts'
import { ofExistingCall } from '../../../workers/handlers/calls.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

const MINUTE = 60_000

let domain: TestDomain

beforeAll(async () => {
  domain = await openDomain()
})

afterAll(() => domain.close())

const job = (ageMs: number): JobContext => ({
  id: 'x',
  name: 'call.status',
  attempt: 1,
  attempts: 300,
  givesUp: () => false,
  enqueuedAt: new Date(Date.now() - ageMs),
  logger: createLogger('silent'),
})

/** How long an event of an unregistered call waits once more; null: it is dropped. */
async function waitOf(ageMs: number, onlyFor?: string[]): Promise<number | null> {
  const event = { callSid: 'CAunknown', ...(onlyFor ? { onlyFor } : {}) }
  const error = await ofExistingCall(domain.ctx, event, job(ageMs), async () => null).then(
    () => null,
    (thrown: DelayJob) => thrown,
  )
  return error?.delayMs ?? null
}

test('an event of a call that is not there waits for an hour, ever longer, and is dropped then', async () => {
  expect(await waitOf(0)).toBe(500)
  expect(await waitOf(8_000)).toBeGreaterThanOrEqual(8_000)
  expect(await waitOf(59 * MINUTE)).toBe(MINUTE)
  expect(await waitOf(61 * MINUTE)).toBeNull()
})

test('what a business’s own account tells, which it may have made up, waits for minutes', async () => {
  const onlyFor = [newId()]
  expect(await waitOf(4 * MINUTE, onlyFor)).toBe(MINUTE)
  expect(await waitOf(6 * MINUTE, onlyFor)).toBeNull()
})
