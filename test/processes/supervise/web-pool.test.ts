import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { processEnvironment } from '../../../src/config.ts'
import { createLogger } from '../../../src/lib/log.ts'
import { createSupervision } from '../../../src/processes/supervise/steps.ts'
import { webStep } from '../../../src/processes/supervise/web-pool.ts'
import { openJournal } from './journal.ts'

const child = join(import.meta.dir, 'fixtures', 'child.ts')

test('the standby takes the port of a server that dies, and the dead one comes back as the standby', async () => {
  const journal = openJournal()
  const step = webStep(
    'web',
    {
      listening: 1,
      spec: (name) => ({
        name,
        command: ['bun', child, name.replace(' ', '-'), journal.path, 'ready'],
        env: processEnvironment(),
        readyTimeoutMs: 10_000,
        stopTimeoutMs: 1_000,
      }),
    },
    createLogger('silent'),
  )
  const supervision = createSupervision([step], createLogger('silent'))
  await supervision.start()
  await journal.waitFor('web-1 started')
  await journal.waitFor('web-2 started')
  const serving = () => journal.read().filter(({ event }) => event === 'listening')
  expect(serving()).toHaveLength(1)

  const [first] = serving()
  const other = first?.name === 'web-1' ? 'web-2' : 'web-1'
  const killedAt = performance.now()
  process.kill(first?.pid ?? 0, 'SIGKILL')
  await journal.waitFor(`${other} listening`)
  // It was started long ago: taking the port is all there is to do.
  expect(performance.now() - killedAt).toBeLessThan(2_000)

  // Back again, it waits; when the second dies too it serves again.
  await journal.waitFor(`${first?.name} started`, 2)
  process.kill(serving().at(-1)?.pid ?? 0, 'SIGKILL')
  await journal.waitFor(`${first?.name} listening`, 2)
  await supervision.stop()
  expect(journal.survivors()).toEqual([])
}, 30_000)
