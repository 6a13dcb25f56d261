import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { compile, optimize } from '@tailwindcss/node'
import { Scanner } from '@tailwindcss/oxide'
import { compileMessages, keepTwoLocales, useCompiledMessages } from './plugins.ts'

const CONSOLE = join(import.meta.dir, '..')
const ROOT = join(CONSOLE, '../..')
const FONTS = ['heebo-hebrew-wght-normal.woff2', 'heebo-latin-wght-normal.woff2']
const COMPRESSED = /\.(?:js|css|svg|webmanifest)$/

/** What the server needs to know of a build: the names of the files by what they are. */
export type ConsoleManifest = { hash: string; script: string; style: string; fonts: string[] }

/** A hash of everything that a build depends on: the console's sources, what it imports, and the lockfile. */
export function hashInputs(): string {
  const hash = createHash('sha256')
  const files = [CONSOLE, join(ROOT, 'src/lib'), join(ROOT, 'src/audio')]
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    )
    .sort()
  for (const file of [...files, join(ROOT, 'bun.lock')])
    hash
      .update(`${relative(ROOT, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex').slice(0, 16)
}

/** The manifest of the build in a folder; null when there is none. */
export function readManifest(folder: string): ConsoleManifest | null {
  const path = join(folder, 'manifest.json')
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null
}

/**
 * Builds the console into a folder, beside it first and renamed at the end.
 * @returns the manifest; `built` is false when the folder already had this build
 * @throws Error with the bundler's messages
 */
export async function buildConsole(
  folder: string,
  always = false,
): Promise<{ manifest: ConsoleManifest; built: boolean }> {
  const hash = hashInputs()
  const present = readManifest(folder)
  if (!always && present?.hash === hash) return { manifest: present, built: false }
  const next = `${folder}.next-${process.pid}`
  rmSync(next, { recursive: true, force: true })
  mkdirSync(join(next, 'assets'), { recursive: true })
  const [script, style] = [await buildScripts(join(next, 'assets')), await buildStyle(join(next, 'assets'))]
  await buildWorker(next)
  const fonts = FONTS.map((name) => copyFont(name, join(next, 'assets')))
  cpSync(join(CONSOLE, 'public'), next, { recursive: true })
  compressAll(next)
  const manifest = { hash, script, style, fonts }
  writeFileSync(join(next, 'manifest.json'), JSON.stringify(manifest))
  rmSync(folder, { recursive: true, force: true })
  renameSync(next, folder)
  return { manifest, built: true }
}

/** The worklet of the telephone is a file of its own, which whose name the application gets. */
async function buildScripts(out: string): Promise<string> {
  const worklet = await buildScript('phone/worklet.ts', out, {})
  return await buildScript('app/main.tsx', out, { WORKLET_FILE: JSON.stringify(worklet) })
}

async function buildScript(entry: string, out: string, define: Record<string, string>): Promise<string> {
  const result = await Bun.build({
    entrypoints: [join(CONSOLE, entry)],
    outdir: out,
    target: 'browser',
    splitting: true,
    minify: true,
    sourcemap: 'linked',
    naming: '[name]-[hash].[ext]',
    define: { 'process.env.NODE_ENV': '"production"', ...define },
    plugins: [compileMessages, useCompiledMessages, keepTwoLocales],
  })
  const built = result.outputs.find((output) => output.kind === 'entry-point')
  if (!result.success || !built) throw new AggregateError(result.logs, 'The console could not be bundled.')
  return relative(out, built.path)
}

/** A script of its own under a name that stays: a browser asks for it again and compares. */
async function buildWorker(out: string): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(CONSOLE, 'app/service-worker.ts')],
    outdir: out,
    target: 'browser',
    minify: true,
    naming: 'sw.js',
  })
  if (!result.success) throw new AggregateError(result.logs, 'The service worker could not be bundled.')
}

async function buildStyle(out: string): Promise<string> {
  const compiler = await compile(readFileSync(join(CONSOLE, 'app/style.css'), 'utf8'), {
    base: join(CONSOLE, 'app'),
    onDependency() {},
  })
  const root = compiler.root && compiler.root !== 'none' ? [{ ...compiler.root, negated: false }] : []
  const candidates = new Scanner({ sources: [...root, ...compiler.sources] }).scan()
  const css = optimize(compiler.build(candidates), { minify: true }).code
  const name = `style-${createHash('sha256').update(css).digest('hex').slice(0, 12)}.css`
  writeFileSync(join(out, name), css)
  return name
}

function copyFont(name: string, out: string): string {
  const bytes = readFileSync(join(ROOT, 'node_modules/@fontsource-variable/heebo/files', name))
  writeFileSync(join(out, name), bytes)
  return name
}

/** Source maps are left as they are: compressing them takes longer than the build. */
function compressAll(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !COMPRESSED.test(entry.name)) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = readFileSync(path)
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
    writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
  }
}

if (import.meta.main) {
  const { manifest, built } = await buildConsole(join(ROOT, 'dist/console'), process.argv.includes('--always'))
  console.log(built ? `The console is built: ${manifest.script}` : 'The console is up to date.')
}
