import { expect, test } from 'bun:test'
import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findFreePort } from '../../src/lib/net.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { eventually, queueOfThisRun } from '../support/product.ts'
import { machineEnvironment, runToEnd } from '../support/product-process.ts'
import { startRedis } from '../support/redis.ts'

const ROOT = join(import.meta.dir, '../..')
const LONG_MS = 240_000

/** `./start_all.sh` on a directory of its own. */
async function startAll(env: Record<string, string>) {
  const dataDir = temporaryDirectory('start-all')
  // Reachable for the user that the database runs as.
  chmodSync(dataDir, 0o755)
  const port = String(await findFreePort('127.0.0.1'))
  const settings = { ...machineEnvironment(), DATA_DIR: dataDir, PORT: port, BUSINESS_LANGUAGE: 'en', ...env }
  const start = () => {
    const child = Bun.spawn(['./start_all.sh'], { cwd: ROOT, env: settings, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = { text: '' }
    const collect = async (stream: ReadableStream<Uint8Array>) => {
      const decoder = new TextDecoder()
      for await (const chunk of stream) output.text += decoder.decode(chunk, { stream: true })
    }
    void collect(child.stdout)
    void collect(child.stderr)
    return { child, output }
  }
  return { dataDir, port, settings, start, url: `http://localhost:${port}` }
}

/** Processes that were started with this directory, their command lines. */
function processesOn(dataDir: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const read = (file: string) => {
        try {
          return readFileSync(`/proc/${pid}/${file}`, 'utf8')
        } catch {
          // It ended while we looked.
          return ''
        }
      }
      const command = read('cmdline').replaceAll('\0', ' ')
      const zombie = /^State:\s+Z/m.test(read('status'))
      return !zombie && (command.includes(dataDir) || read('environ').includes(`DATA_DIR=${dataDir}`)) ? [command] : []
    })
}

test.concurrent.each([queueOfThisRun()])(
  'one command brings everything up on %s, the smoke test passes, one signal takes everything down',
  async (queue) => {
    const redis = queue === 'redis' ? await startRedis() : null
    const installation = await startAll(redis ? { REDIS_URL: redis.url } : {})
    const { child, output } = installation.start()
    try {
      await eventually(
        () => {
          if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}:\n${output.text.slice(-3_000)}`)
          return output.text.includes('AgentLocator is up.')
        },
        'everything to be up',
        90_000,
      )
      expect((await fetch(`${installation.url}/readyz`)).status).toBe(200)

      const smoke = runToEnd('src/cli.ts', installation.settings, ['smoke', '--json'], 120_000)

      // A second start on the same directory is refused with a reason, and disturbs nothing.
      const second = installation.start()
      const code = await Promise.race([second.child.exited, Bun.sleep(20_000).then(() => 'still running')])
      expect(code).not.toBe(0)
      expect(code).not.toBe('still running')
      expect(second.output.text).toContain('already runs')

      const checks = (await smoke)
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { name: string; ok: boolean; skipped?: boolean })
      expect(checks.filter((check) => !check.ok || check.skipped)).toEqual([])
      for (const part of ['A', 'B', 'C', 'D', 'E'])
        expect(checks.some((check) => check.name.startsWith(part))).toBe(true)
      expect(processesOn(installation.dataDir).length).toBeGreaterThan(6)

      child.kill('SIGTERM')
      expect(await Promise.race([child.exited, Bun.sleep(60_000).then(() => 'still running')])).toBe(0)
      await eventually(() => processesOn(installation.dataDir).length === 0, 'all processes to be gone', 5_000)
    } finally {
      if (child.exitCode === null) {
        child.kill('SIGTERM')
        await Promise.race([child.exited, Bun.sleep(30_000).then(() => child.kill('SIGKILL'))])
      }
      await redis?.dispose()
    }
  },
  LONG_MS,
)

test('the smoke test fails on an installation that is not there', async () => {
  const port = await findFreePort('127.0.0.1')
  const env = { DATA_DIR: temporaryDirectory('smoke'), PORT: String(port) }
  const failed = await runToEnd('src/cli.ts', env, ['smoke', `http://127.0.0.1:${port}`]).then(
    () => null,
    (error: Error) => error.message,
  )
  expect(failed).toContain('FAIL')
}, 60_000)
