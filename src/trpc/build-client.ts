import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import root from '../../package.json' with { type: 'json' }
import { clientDeclarations } from './client-types.ts'

/** Packages that the client needs at run time or for its types; everything else stays in the server. */
const DEPENDENCIES = ['@trpc/client', '@trpc/server', 'eventsource'] as const

/** Writes the npm package of `agentlocator/client`: one module, its declarations and a manifest. */
export async function buildClient(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, 'client.ts')],
    target: 'node',
    external: [...DEPENDENCIES],
  })
  const [code] = built.outputs
  if (!code) throw new Error('Bun built no file.')
  const manifest = {
    name: root.name,
    version: root.version,
    description: 'The typed client of an AgentLocator installation.',
    license: root.license,
    type: 'module',
    exports: { './client': { types: './client.d.ts', default: './client.js' } },
    dependencies: Object.fromEntries(DEPENDENCIES.map((name) => [name, root.dependencies[name]])),
    files: ['client.js', 'client.d.ts'],
  }
  await Bun.write(join(directory, 'client.js'), code)
  await Bun.write(join(directory, 'client.d.ts'), clientDeclarations())
  await Bun.write(join(directory, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

if (import.meta.main) await buildClient(process.argv[2] ?? 'dist/client')
