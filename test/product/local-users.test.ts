import { afterAll, beforeAll, expect, test } from 'bun:test'
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { embeddedPostgresUrl } from '../../db/embedded.ts'
import { readSandboxFile } from '../../src/processes/supervise/sandbox-file.ts'
import { commandLines, type Installation, startInstallation } from '../support/installation.ts'
import { eventually } from '../support/product.ts'
import { runToEnd } from '../support/product-process.ts'

const ADMIN_PASSWORD = 'brook-lantern-42-canary'
const API_KEY = 'canary-api-key-of-the-installation-1'
const asRoot = process.getuid?.() === 0
let installation: Installation

beforeAll(async () => {
  installation = await startInstallation(
    { ADMIN_EMAIL: 'owner@example.com', ADMIN_PASSWORD, API_KEY, LOG_LEVEL: 'warn' },
    (dataDir) => {
      // As an earlier version left it.
      mkdirSync(join(dataDir, 'files', 'calls', 'old'), { recursive: true })
      writeFileSync(join(dataDir, 'files', 'calls', 'old', 'turn-1.wav'), 'RIFF')
      chmodSync(join(dataDir, 'files', 'calls', 'old', 'turn-1.wav'), 0o644)
    },
  )
  await runToEnd('src/cli.ts', installation.settings, ['call', 'simulate'], 120_000)
  const records = join(installation.dataDir, 'files', 'calls')
  await eventually(
    () => readdirSync(records, { recursive: true }).some((name) => String(name).endsWith('record.jsonl')),
    'the record of the call to be stored',
    60_000,
  )
}, 300_000)

afterAll(async () => installation?.stop(), 60_000)

/** Everything below a directory; the cluster's inside is Postgres's own affair. */
function walk(path: string): { path: string; mode: number }[] {
  const found = lstatSync(path)
  const entry = { path, mode: found.mode & 0o777 }
  if (!found.isDirectory() || path.endsWith('/postgres/cluster')) return [entry]
  return [entry, ...readdirSync(path).flatMap((name) => walk(join(path, name)))]
}

test('nothing in the data directory is open to other users of the machine', async () => {
  const { dataDir } = installation
  // Old files are closed in the background.
  await eventually(
    () => (lstatSync(join(dataDir, 'files/calls/old/turn-1.wav')).mode & 0o077) === 0,
    'the old file to be closed',
  )
  const passable = asRoot ? [dataDir, join(dataDir, 'postgres')] : []
  const open = walk(dataDir).filter(({ path, mode }) =>
    passable.includes(path) ? mode !== 0o711 : (mode & 0o077) !== 0,
  )
  expect(open.map(({ path, mode }) => `${mode.toString(8)} ${path}`)).toEqual([])
  expect(walk(dataDir).length).toBeGreaterThan(15)
})

test.if(asRoot)('another user reads no audio, record, log or list, and holds no lock', () => {
  const { dataDir } = installation
  const files = walk(dataDir).filter(({ path }) => lstatSync(path).isFile())
  const asUnprivileged = (command: string) => Bun.spawnSync(['su', '-s', '/bin/sh', 'nobody', '-c', command]).exitCode
  expect(asUnprivileged('true')).toBe(0)
  for (const { path } of files) expect({ path, read: asUnprivileged(`head -c 1 '${path}'`) }).toEqual({ path, read: 1 })
  expect(asUnprivileged(`ls '${dataDir}'`)).not.toBe(0)
  expect(asUnprivileged(`ls '${dataDir}/postgres/cluster'`)).not.toBe(0)
})

test('no secret stands in a command line', async () => {
  const { dataDir, settings } = installation
  const sandbox = readSandboxFile(dataDir)
  const url = embeddedPostgresUrl(dataDir)
  const secrets = [
    ADMIN_PASSWORD,
    API_KEY,
    readFileSync(join(dataDir, 'session-secret'), 'utf8').trim(),
    sandbox?.authToken,
    sandbox?.baileysSecret,
    sandbox?.paymentsSecret,
    url && decodeURIComponent(new URL(url).password),
  ].filter((secret): secret is string => typeof secret === 'string' && secret.length > 8)
  expect(secrets).toHaveLength(7)
  const lines = commandLines()
  expect(lines.filter((line) => line.includes(dataDir)).length).toBeGreaterThan(1)
  for (const line of lines) expect(secrets.filter((secret) => line.includes(secret))).toEqual([])
  // Commands have no option that would put a password there.
  for (const command of [
    ['member', 'invite'],
    ['user', 'reset-password'],
  ])
    expect(await runToEnd('src/cli.ts', settings, [...command, '--help'])).not.toMatch(/--\S*(password|secret|token)/i)
  expect(existsSync(join(dataDir, 'sandbox/secrets.json'))).toBe(true)
})
