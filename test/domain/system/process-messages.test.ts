import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createProcessMessages, type ProcessMessages } from '../../../src/domain/system/index.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { sha256Hex } from '../../../src/lib/ids.ts'
import { createTestApi, type TestApi } from '../../support/api.ts'
import { eventually } from '../../support/wait.ts'

let api: TestApi
const open: ProcessMessages[] = []

beforeAll(async () => {
  api = await createTestApi()
})
afterAll(async () => {
  for (const messages of open) await messages.stop()
  await api.close()
})

async function startProcess(processId: string): Promise<ProcessMessages> {
  const messages = createProcessMessages({ ctx: api.ctx, sql: api.database.sql, processId })
  await messages.start()
  open.push(messages)
  return messages
}

test('a process asks another and itself, and gets the answer or the very error', async () => {
  const [one, two] = [await startProcess('web:one:1'), await startProcess('web:two:1')]
  for (const messages of [one, two])
    messages.onQuestion(async (body, from) => {
      if (body === 'no') throw new AppError('conflict', 'call_not_live', 'The call is over.')
      if (body === 'crash') throw new Error('a secret detail')
      return { by: messages.processId, from, body }
    })
  expect(await one.ask('web:two:1', 'שלום', 5_000)).toEqual({ by: 'web:two:1', from: 'web:one:1', body: 'שלום' })
  expect(await one.ask('web:one:1', 1, 5_000)).toEqual({ by: 'web:one:1', from: 'web:one:1', body: 1 })
  const many = Array.from({ length: 50 }, (_, index) => two.ask('web:one:1', index, 5_000))
  expect((await Promise.all(many)).map((answer) => Reflect.get(Object(answer), 'body'))).toEqual(
    Array.from({ length: 50 }, (_, index) => index),
  )
  const refusal = one.ask('web:two:1', 'no', 5_000)
  await expect(refusal).rejects.toMatchObject({ kind: 'conflict', code: 'call_not_live', message: 'The call is over.' })
  await expect(one.ask('web:two:1', 'crash', 5_000)).rejects.toMatchObject({ kind: 'internal' })
  await expect(one.ask('web:two:1', 'crash', 5_000)).rejects.not.toThrow('a secret detail')
})

test('a process that is gone is silent; what is too long for Postgres is refused; what is no message is left', async () => {
  const [one, two] = [await startProcess('web:three:1'), await startProcess('web:four:1')]
  await expect(one.ask('web:gone:1', 1, 100)).rejects.toMatchObject({ code: 'process_silent' })
  await expect(one.tell('web:four:1', 'x'.repeat(8_000))).rejects.toMatchObject({ code: 'message_too_long' })
  const taken: unknown[] = []
  two.onMessage((body) => taken.push(body))
  const channel = `agentlocator_process_${sha256Hex('web:four:1').slice(0, 32)}`
  for (const junk of ['', 'no json', '{"kind":"message"}', '{"kind":"answer","id":"unknown"}'])
    await api.database.sql`select pg_notify(${channel}, ${junk})`
  await one.tell('web:four:1', { audio: 'x'.repeat(7_000) })
  await eventually(() => taken.length === 1, 'the message')
  const outcome = one.ask('web:gone:1', 1, 60_000).then(
    () => 'answered',
    (error: unknown) => Reflect.get(Object(error), 'code'),
  )
  await one.stop()
  expect(await outcome).toBe('process_silent')
})
