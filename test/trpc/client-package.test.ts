import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import root from '../../package.json' with { type: 'json' }
import { createContact } from '../../src/domain/contacts/index.ts'
import { within } from '../../src/domain/context.ts'
import { buildClient } from '../../src/trpc/build-client.ts'
import { typeOfSchema } from '../../src/trpc/type-of-schema.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const LONG = 240_000
const REPOSITORY = join(import.meta.dir, '..', '..')
const COMPILER_OPTIONS = {
  target: 'ESNext',
  module: 'Preserve',
  moduleResolution: 'bundler',
  lib: ['ESNext', 'DOM', 'DOM.Iterable'],
  types: ['bun-types'],
  strict: true,
  noEmit: true,
  exactOptionalPropertyTypes: true,
}

let database: TestDatabase
let web: TestServer
let built: string
let project: string

async function run(directory: string, ...command: string[]) {
  const started = Bun.spawn([process.execPath, ...command], { cwd: directory, stdout: 'pipe', stderr: 'pipe' })
  const [output, errors, code] = await Promise.all([
    new Response(started.stdout).text(),
    new Response(started.stderr).text(),
    started.exited,
  ])
  return { output, errors, code }
}

async function succeed(directory: string, ...command: string[]): Promise<string> {
  const { output, errors, code } = await run(directory, ...command)
  if (code !== 0) throw new Error(`${command.join(' ')}: ${output}${errors}`)
  return output
}

/** Packs the client and installs it into an empty project, as a user of it does. */
async function installPacked(): Promise<string> {
  const directory = temporaryDirectory('client-project')
  await succeed(built, 'pm', 'pack', '--filename', join(directory, 'client.tgz'))
  writeFileSync(
    join(directory, 'package.json'),
    JSON.stringify({
      name: 'a-tool',
      type: 'module',
      dependencies: { agentlocator: 'file:./client.tgz' },
      devDependencies: {
        typescript: root.devDependencies.typescript,
        'bun-types': root.devDependencies['bun-types'],
      },
    }),
  )
  await succeed(directory, 'install', '--prefer-offline', '--ignore-scripts')
  writeFileSync(
    join(directory, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: ['tool.ts'] }),
  )
  return directory
}

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url)
  await createContact(within(web.deps.ctx, web.businessId), { name: 'through the package' })
  built = join(temporaryDirectory('client-package'), 'client')
  await buildClient(built)
  project = await installPacked()
}, LONG)

afterAll(async () => {
  await web.stop()
  await database.drop()
})

const tool = (field: string) => `
import { TRPCClientError } from '@trpc/client'
import { type AppRouter, createClient, type Inputs, type Outputs } from 'agentlocator/client'

const client = createClient({ url: process.argv[2] ?? '', apiKey: process.argv[3] ?? '' })
const input: Inputs['contacts']['list'] = { limit: 1 }
const page: Outputs['contacts']['list'] = await client.contacts.list.query(input)
const names: (string | null)[] = page.items.map((contact) => contact.${field})
const createdAt: string[] = page.items.map((contact) => contact.createdAt)
const [business, failed] = await Promise.all([
  client.businesses.get.query(),
  client.contacts.create.mutate({ name: 'refused' }).catch((error: unknown) => error),
])
const code = failed instanceof TRPCClientError ? (failed as TRPCClientError<AppRouter>).data?.error.code : 'none'
const first = await new Promise<string>((resolve, reject) => {
  const stream = client.events.stream.subscribe(
    { types: ['contact.*'], lastEventId: '0' },
    { onData: (event) => resolve('type' in event ? event.type : event.data.type), onError: reject },
  )
  setTimeout(() => { stream.unsubscribe(); resolve('none') }, 10_000)
})
console.log(JSON.stringify({ names, dates: createdAt.length, business: business.id, code, streamed: first }))
process.exit(0)
`

const compile = async (text: string) => {
  writeFileSync(join(project, 'tool.ts'), text)
  const { output, code } = await run(project, 'x', 'tsc', '-p', '.')
  return { output, code }
}

describe('the package agentlocator/client', () => {
  test('holds the client alone: no source of the server, in code or in types', async () => {
    const directory = join(project, 'node_modules', 'agentlocator')
    const files = (await Array.fromAsync(new Bun.Glob('**/*').scan(directory))).sort()
    expect(files).toEqual(['client.d.ts', 'client.js', 'package.json'])
    const types = await Bun.file(join(directory, 'client.d.ts')).text()
    const imported = [...types.matchAll(/from '([^']+)'|import\('([^']+)'\)/g)].map((match) => match[1] ?? match[2])
    expect([...new Set(imported)].sort()).toEqual(['@trpc/client', '@trpc/server'])
    expect(/[:<] any\b|\bany[>[\]]/.test(types)).toBe(false)
    const installed = await Array.fromAsync(
      new Bun.Glob('*').scan({ cwd: join(project, 'node_modules'), onlyFiles: false }),
    )
    for (const name of ['drizzle-orm', 'hono', 'zod', 'bullmq']) expect(installed).not.toContain(name)
  })

  test(
    'compiles in an empty project and works with a server',
    async () => {
      const wrong = await compile(tool('nmae'))
      expect(wrong.code).not.toBe(0)
      expect(wrong.output).toContain('nmae')
      expect(await compile(tool('name'))).toEqual({ output: '', code: 0 })
      const output = await succeed(project, 'tool.ts', web.url, await web.key('read'))
      expect(JSON.parse(output)).toEqual({
        names: ['through the package'],
        dates: 1,
        business: web.businessId,
        code: 'scope_too_low',
        streamed: 'stream.reset',
      })
    },
    LONG,
  )

  test(
    'takes and answers what the router does',
    async () => {
      const directory = temporaryDirectory('client-types')
      mkdirSync(directory, { recursive: true })
      writeFileSync(
        join(directory, 'check.ts'),
        `
        import type { Inputs as RouterInputs, Outputs as RouterOutputs } from '${REPOSITORY}/src/trpc/client.ts'
        import type { Inputs, Outputs } from '${built}/client.d.ts'
        export const inputs = (taken: Inputs): RouterInputs => taken
        export const outputs = (answered: RouterOutputs): Outputs => answered
        `,
      )
      const compilerOptions = {
        ...COMPILER_OPTIONS,
        // The server is checked by its own options.
        exactOptionalPropertyTypes: false,
        skipLibCheck: true,
        allowImportingTsExtensions: true,
        resolveJsonModule: true,
        jsx: 'react-jsx',
        typeRoots: [join(REPOSITORY, 'node_modules')],
        paths: { '@trpc/*': [join(REPOSITORY, 'node_modules/@trpc/*')] },
      }
      writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['check.ts'] }))
      const { output, code } = await run(REPOSITORY, 'x', 'tsc', '-p', directory)
      expect({ output, code }).toEqual({ output: '', code: 0 })
    },
    LONG,
  )

  test('writes every kind of schema as its type', () => {
    const types: [unknown, string][] = [
      [{ type: 'integer' }, 'number'],
      [{ const: null }, 'null'],
      [{ enum: ['a', 1] }, '"a" | 1'],
      [{ anyOf: [{ type: 'string' }, { type: 'string', format: 'uuid' }, { type: 'null' }] }, 'string | null'],
      [{ type: ['string', 'null'] }, 'string | null'],
      [{ allOf: [{ type: 'string' }, { enum: ['a', 'b'] }] }, 'string & ("a" | "b")'],
      [{ type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } }, '(string | null)[]'],
      [{ type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }] }, '[string, number]'],
      [{ type: 'object', additionalProperties: { type: 'number' } }, 'Record<string, number>'],
      [
        { type: 'object', propertyNames: { enum: ['a', 'b'] }, additionalProperties: { type: 'number' } },
        'Partial<Record<"a" | "b", number>>',
      ],
      [
        { type: 'object', properties: { a: { type: 'string' }, 'b-c': {} }, required: ['a'] },
        '{\n  a: string\n  "b-c"?: unknown\n}',
      ],
    ]
    for (const [schema, type] of types) expect(typeOfSchema(schema)).toBe(type)
  })
})
