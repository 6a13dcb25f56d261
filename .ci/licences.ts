/**
 * Every package that is installed has a licence under which it may be part of a work under the GPL 3 or later. Another, or none,
 * fails until someone has looked at it.
 */
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'

/** SPDX identifiers; the Free Software Foundation's list names them compatible with GPL 3. */
const COMPATIBLE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'GPL-3.0',
  'GPL-3.0-only',
  'GPL-3.0-or-later',
  'ISC',
  'LGPL-3.0-or-later',
  'MIT',
  'MIT-0',
  'MPL-2.0',
  'Python-2.0',
  // Fonts: served beside the work, not linked into it.
  'OFL-1.1',
  'Unlicense',
  'Zlib',
])

/** Packages that name theirs in their own words; their licence files were read. */
const READ: Readonly<Record<string, string>> = { 'duck@0.1.12': 'BSD-2-Clause' }

const manifest = z.looseObject({ name: z.string(), version: z.string(), license: z.string().optional() })

/** Whether an SPDX expression lets us: all of what is joined by AND, one of what is joined by OR. */
function isCompatible(expression: string): boolean {
  const bare = expression.trim().replace(/^\((.*)\)$/, '$1')
  if (/[()]|\bWITH\b/.test(bare)) return false
  return bare.split(/\s+OR\s+/).some((part) => part.split(/\s+AND\s+/).every((id) => COMPATIBLE.has(id.trim())))
}

/** The manifests of installed packages; others lie deeper inside of a package. */
async function* packages(root: string): AsyncGenerator<z.infer<typeof manifest>> {
  for await (const path of new Bun.Glob('**/package.json').scan({ cwd: root, dot: true })) {
    const folder = dirname(path)
    const holder = dirname(basename(dirname(folder)).startsWith('@') ? dirname(folder) : folder)
    if (holder !== '.' && basename(holder) !== 'node_modules') continue
    const read = manifest.safeParse(await Bun.file(join(root, path)).json())
    if (read.success) yield read.data
    else throw new Error(`${path} names no package.`)
  }
}

async function main(root: string): Promise<number> {
  const bad: string[] = []
  let count = 0
  for await (const { name, version, license } of packages(root)) {
    count += 1
    const known = READ[`${name}@${version}`] ?? license
    if (known === undefined || !isCompatible(known)) bad.push(`${name}@${version}: ${license ?? 'names no licence'}`)
  }
  for (const line of bad) console.log(line)
  console.log(`${count} packages, ${bad.length} with a licence that is not on the list`)
  return bad.length > 0 || count === 0 ? 1 : 0
}

process.exit(await main(process.argv[2] ?? join(import.meta.dir, '../node_modules')))
