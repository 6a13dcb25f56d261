import { expect, test } from 'bun:test'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { embeddedPostgresUrl } from '../../../db/embedded.ts'
import { type Environment, loadConfig, processEnvironment } from '../../../src/config.ts'
import { createLogger } from '../../../src/lib/log.ts'
import { findFreePort } from '../../../src/lib/net.ts'
import { tryLock } from '../../../src/lib/process-lock.ts'
import { productSteps } from '../../../src/processes/supervise/product.ts'
import { readSandboxFile } from '../../../src/processes/supervise/sandbox-file.ts'
import { createSupervision } from '../../../src/processes/supervise/steps.ts'
import { temporaryDirectory } from '../../support/cleanup.ts'
import { quietFor } from '../../support/wait.ts'
import { openJournal } from './journal.ts'

const logger = createLogger('silent')

/** A root whose programs are small, in the places where the product's are. */
function makeRoot(journal: string): string {
  const root = temporaryDirectory('root')
  const source = join(import.meta.dir, '../../../src')
  for (const file of [
    'src/sandbox/main.ts',
    'src/processes/web-server.ts',
    ...['whatsapp', 'crm', 'recordings'].map((name) => `workers/${name}.ts`),
  ]) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(
      join(root, file),
      `import { appendFileSync } from 'node:fs'
import { processEnvironment } from '${source}/config.ts'
import { notifyReady, onShutdown } from '${source}/lib/lifecycle.ts'
import postgres from '${join(source, '../node_modules/postgres/src/index.js')}'
const note = (event) => appendFileSync('${journal}', \`${file} \${event} \${process.pid}\\n\`)
const env = processEnvironment()
onShutdown(async () => {
  await Bun.sleep(50)
  if (env.DATABASE_URL) {
    const sql = postgres(env.DATABASE_URL, { max: 1 })
    await sql\`select 1\`
    await sql.end()
    note('stopped-with-database')
  } else note('stopped')
})
setInterval(() => {}, 60_000)
note('started')
note('carrier=' + (env.TWILIO_API_BASE_URL ?? 'none'))
const carrier = Number(process.argv.find((flag) => flag.startsWith('--carrier-port='))?.split('=')[1])
notifyReady(carrier ? { ports: { carrier } } : {})
process.on('message', (message) => {
  if (message.type !== 'listen') return
  note('listening')
  process.send({ type: 'listening' })
})
`,
    )
  }
  return root
}

async function plan(journal: string, extra: Environment, prepare = async (_environment: Environment) => {}) {
  const dataDir = temporaryDirectory('data')
  // Reachable for the user the database runs as.
  Bun.spawnSync(['chmod', '755', dataDir])
  const port = String(await findFreePort('127.0.0.1'))
  const environment = { PATH: processEnvironment().PATH, DATA_DIR: dataDir, PORT: port, HOST: '127.0.0.1', ...extra }
  const config = loadConfig(environment)
  const options = { config, environment, logger, prepare, bun: process.execPath, root: makeRoot(journal) }
  return { config, steps: () => productSteps(options) }
}

test('the product comes up in order around its own database and goes down with the database last', async () => {
  const journal = openJournal()
  let prepared: Environment = {}
  const { config, steps } = await plan(journal.path, { WEB_CONCURRENCY: '2' }, async (environment) => {
    prepared = environment
  })
  const supervision = createSupervision(steps(), logger)
  await supervision.start()

  const sandbox = readSandboxFile(config.dataDir)
  expect(sandbox?.accountSid).toMatch(/^AC[0-9a-f]{32}$/)
  expect(statSync(join(config.dataDir, 'sandbox.json')).mode & 0o777).toBe(0o600)
  expect(prepared).toMatchObject({
    SANDBOX: '1',
    DATABASE_URL: embeddedPostgresUrl(config.dataDir) ?? 'none',
    TWILIO_ACCOUNT_SID: sandbox?.accountSid ?? 'none',
    TWILIO_AUTH_TOKEN: sandbox?.authToken ?? 'none',
    TWILIO_API_BASE_URL: sandbox?.carrierUrl ?? 'none',
    PAYPAL_API_BASE_URL: sandbox?.paypalUrl ?? 'none',
    PAYPAL_CLIENT_SECRET: sandbox?.paymentsSecret ?? 'none',
    TRANZILA_PAY_BASE_URL: sandbox?.tranzilaUrl ?? 'none',
  })
  // What the processes get must itself be a configuration that loads.
  expect(loadConfig(prepared)).toMatchObject({
    sandbox: true,
    twilio: { kind: 'configured' },
    paypal: { kind: 'configured' },
    tranzila: { kind: 'configured' },
  })

  await journal.waitFor('src/processes/web-server.ts started', 3)
  const started = journal.events().filter((event) => event.endsWith(' started'))
  expect(started.slice(0, 2)).toEqual(['src/sandbox/main.ts started', 'workers/whatsapp.ts started'])
  expect(started.slice(2, 4).sort()).toEqual(['workers/crm.ts started', 'workers/recordings.ts started'])
  // Two that serve, and one that waits to take over.
  expect(started.slice(4)).toEqual([
    'src/processes/web-server.ts started',
    'src/processes/web-server.ts started',
    'src/processes/web-server.ts started',
  ])
  expect(journal.events().filter((event) => event === 'src/processes/web-server.ts listening')).toHaveLength(2)
  expect(journal.events()).toContain(`src/processes/web-server.ts carrier=${sandbox?.carrierUrl}`)

  const postmaster = join(config.dataDir, 'postgres', 'cluster', 'postmaster.pid')
  const pid = Number.parseInt(readFileSync(postmaster, 'utf8'), 10)
  await supervision.stop()
  const stopped = journal.events().filter((event) => event.includes('stopped'))
  expect(stopped.slice(0, 3)).toEqual(Array(3).fill('src/processes/web-server.ts stopped-with-database'))
  expect(stopped.slice(-2)).toEqual([
    'workers/whatsapp.ts stopped-with-database',
    'src/sandbox/main.ts stopped-with-database',
  ])
  expect(journal.survivors()).toEqual([])
  expect(() => statSync(postmaster)).toThrow()
  expect(() => statSync(`/proc/${pid}/exe`)).toThrow()

  // The account of the simulator outlives a restart, as its rows do.
  const again = createSupervision(steps(), logger)
  await again.start()
  expect(readSandboxFile(config.dataDir)?.accountSid).toBe(sandbox?.accountSid ?? 'none')
  await again.stop()
}, 90_000)

test('a second start on the same data directory is refused, naming the first', async () => {
  const journal = openJournal()
  const { config, steps } = await plan(journal.path, {})
  const lockPath = join(config.dataDir, 'start.lock')
  const holder = Bun.spawn(
    [
      'bun',
      '-e',
      `import { tryLock } from '${join(import.meta.dir, '../../../src/lib/process-lock.ts')}'
      console.log(tryLock('${lockPath}').held); Bun.gc(true); setTimeout(() => {}, 20_000)`,
    ],
    { stdout: 'pipe' },
  )
  for await (const chunk of holder.stdout) {
    expect(new TextDecoder().decode(chunk)).toBe('true\n')
    break
  }
  const refusal = await createSupervision(steps(), logger)
    .start()
    .catch((error: unknown) => error)
  expect(String(refusal)).toContain(`already runs on ${config.dataDir} (process ${holder.pid})`)

  // The lock dies with its process, however that ends.
  holder.kill('SIGKILL')
  await holder.exited
  const result = tryLock(lockPath)
  expect(result.held).toBe(true)
  if (result.held) result.lock.release()
}, 30_000)

test('a taken port is said before anything is started', async () => {
  const journal = openJournal()
  const { config, steps } = await plan(journal.path, {})
  const stranger = createServer()
  await new Promise<void>((resolve) => stranger.listen(config.port, '127.0.0.1', resolve))
  const refusal = await createSupervision(steps(), logger)
    .start()
    .catch((error: unknown) => error)
  stranger.close()
  expect(String(refusal)).toContain(`Port ${config.port} at 127.0.0.1 is taken`)
  expect(journal.read()).toEqual([])
  expect(embeddedPostgresUrl(config.dataDir)).toBeNull()
}, 30_000)

test('with a database given none is started, and an unreachable one is awaited until the stop', async () => {
  const journal = openJournal()
  const url = `postgres://unknown:x@127.0.0.1:${await findFreePort('127.0.0.1')}/none`
  const { config, steps } = await plan(journal.path, { DATABASE_URL: url })
  const supervision = createSupervision(steps(), logger)
  let ended = false
  const outcome = supervision
    .start()
    .catch((error: unknown) => error)
    .finally(() => {
      ended = true
    })
  await quietFor(1_500, 'the process would have ended')
  expect(ended).toBe(false)
  await supervision.stop()
  expect(String(await outcome)).toContain('ECONNREFUSED')
  expect(embeddedPostgresUrl(config.dataDir)).toBeNull()
  expect(journal.read()).toEqual([])
}, 60_000)
