import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { processEnvironment } from '../../../src/config.ts'
import { createLogger } from '../../../src/lib/log.ts'
import { startProcess } from '../../../src/processes/supervise/managed-process.ts'
import { quietFor } from '../../support/wait.ts'
import { openJournal, waitUntil } from './journal.ts'

const logger = createLogger('silent')
const fixture = (name: string) => join(import.meta.dir, 'fixtures', name)

function startSupervisor(journal: string, ...children: string[]) {
  return Bun.spawn(['bun', fixture('supervisor.ts'), journal, ...children], {
    stdout: 'pipe',
    stderr: 'inherit',
    detached: true,
  })
}

const childSpec = (journal: string, behaviour: string) => ({
  name: 'child',
  command: ['bun', fixture('child.ts'), 'child', journal, behaviour],
  env: processEnvironment(),
  readyTimeoutMs: 10_000,
  stopTimeoutMs: 500,
})

test('starts one after the other, stops the other way round, leaves nothing', async () => {
  const journal = openJournal()
  const supervisor = startSupervisor(journal.path, 'whatsapp', 'workers=slow:200', 'web=slow:200')
  await journal.waitFor('web started')
  await Bun.sleep(100)
  supervisor.kill('SIGTERM')
  expect(await supervisor.exited).toBe(0)
  expect(await new Response(supervisor.stdout).text()).toBe('up\n')
  expect(journal.events()).toEqual([
    'whatsapp started',
    'workers started',
    'web started',
    'web stopping:SIGTERM',
    'web stopped',
    'workers stopping:SIGTERM',
    'workers stopped',
    'whatsapp stopping:SIGTERM',
    'whatsapp stopped',
  ])
  expect(journal.survivors()).toEqual([])
}, 30_000)

test('Ctrl-C reaches the processes through the ordered stop alone', async () => {
  const journal = openJournal()
  const supervisor = startSupervisor(journal.path, 'workers', 'web=slow:200')
  await journal.waitFor('web started')
  await Bun.sleep(100)
  process.kill(-supervisor.pid, 'SIGINT')
  expect(await supervisor.exited).toBe(0)
  expect(journal.events().slice(2)).toEqual([
    'web stopping:SIGTERM',
    'web stopped',
    'workers stopping:SIGTERM',
    'workers stopped',
  ])
}, 30_000)

test('a second signal does not wait', async () => {
  const journal = openJournal()
  const supervisor = startSupervisor(journal.path, 'workers', 'web=stubborn')
  await journal.waitFor('web started')
  await Bun.sleep(100)
  supervisor.kill('SIGTERM')
  await journal.waitFor('web stopping:SIGTERM')
  const before = performance.now()
  supervisor.kill('SIGTERM')
  expect(await supervisor.exited).toBe(0)
  expect(performance.now() - before).toBeLessThan(3_000)
  expect(journal.events()).not.toContain('web stopped')
  expect(journal.survivors()).toEqual([])
}, 30_000)

test('a signal while something is still coming up gives the start up', async () => {
  const journal = openJournal()
  const supervisor = startSupervisor(journal.path, 'whatsapp', 'workers=mute', 'web')
  await journal.waitFor('workers started')
  supervisor.kill('SIGTERM')
  expect(await supervisor.exited).toBe(0)
  expect(journal.events()).not.toContain('web started')
  expect(journal.events()).toContain('whatsapp stopped')
  expect(journal.survivors()).toEqual([])
}, 30_000)

test('one that never becomes ready fails the start and takes the others down', async () => {
  const journal = openJournal()
  const managed = startProcess({ ...childSpec(journal.path, 'mute'), readyTimeoutMs: 1_000 }, logger)
  await expect(managed.ready).rejects.toThrow('child was not ready within 1 s')
  await managed.ready.catch(() => {})
  await managed.stop()
  expect(journal.survivors()).toEqual([])

  const other = openJournal()
  const supervisor = startSupervisor(other.path, 'whatsapp', 'workers=mute', 'web')
  expect(await supervisor.exited).toBe(1)
  expect(other.events()).not.toContain('web started')
  expect(other.events()).toContain('whatsapp stopped')
  expect(other.survivors()).toEqual([])
}, 40_000)

test('the processes end when their supervisor is killed', async () => {
  const journal = openJournal()
  const supervisor = startSupervisor(journal.path, 'workers', 'web')
  await journal.waitFor('web started')
  supervisor.kill('SIGKILL')
  await supervisor.exited
  await journal.waitFor('web stopped')
  await journal.waitFor('workers stopped')
  expect(journal.events()).toContain('web stopping:disconnect')
  await waitUntil(() => journal.survivors().length === 0)
}, 30_000)

test('a process that dies comes back, each time a little later, until it is stopped', async () => {
  const journal = openJournal()
  const starts: number[] = []
  const backoff = { firstMs: 200, maxMs: 800, healthyMs: 60_000 }
  const managed = startProcess(childSpec(journal.path, 'crash:20'), logger, backoff)
  for (let count = 1; count <= 4; count += 1) {
    await journal.waitFor('child started', count)
    starts.push(performance.now())
  }
  const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0))
  expect(gaps[0]).toBeGreaterThan(200)
  expect(gaps[1]).toBeGreaterThan(400)
  expect(gaps[2]).toBeGreaterThan(800)
  await managed.stop()
  const before = journal.read().length
  await quietFor(1_200, 'the process would have been started again')
  expect(journal.read().length).toBe(before)
  expect(managed.pid === null || journal.survivors().length === 0).toBe(true)
}, 30_000)

test('one that was healthy long enough starts again at once', async () => {
  const journal = openJournal()
  const backoff = { firstMs: 50, maxMs: 60_000, healthyMs: 100 }
  const managed = startProcess(childSpec(journal.path, 'crash:150'), logger, backoff)
  // Without the reset the pauses would add up to 50 × (2^8 − 1) ms, more than 12 s.
  await journal.waitFor('child started', 9, 10_000)
  await managed.stop()
}, 30_000)

test('one that does not stop is killed', async () => {
  const journal = openJournal()
  const managed = startProcess(childSpec(journal.path, 'stubborn'), logger)
  expect(await managed.ready).toMatchObject({ type: 'ready', ports: { carrier: 1234 } })
  const before = performance.now()
  await managed.stop()
  expect(performance.now() - before).toBeGreaterThan(480)
  expect(performance.now() - before).toBeLessThan(3_000)
  expect(journal.survivors()).toEqual([])
}, 30_000)
