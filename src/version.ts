import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import manifest from '../package.json'

const root = join(import.meta.dir, '..')

export function readVersion(): { name: string; version: string; commit: string; bun: string } {
  const { name, version } = z.object({ name: z.string(), version: z.string() }).parse(manifest)
  return { name, version, commit: readCommit(), bun: Bun.version }
}

/** An image has its commit in a file, a checkout in git. */
function readCommit(): string {
  const stamp = join(root, '.commit')
  if (existsSync(stamp)) return readFileSync(stamp, 'utf8').trim()
  const git = join(root, '.git')
  const head = join(git, 'HEAD')
  if (!existsSync(head)) return 'unknown'
  const content = readFileSync(head, 'utf8').trim()
  const ref = /^ref: (.+)$/.exec(content)?.[1]
  if (!ref) return content
  const loose = join(git, ref)
  if (existsSync(loose)) return readFileSync(loose, 'utf8').trim()
  const packed = join(git, 'packed-refs')
  const line = existsSync(packed)
    ? readFileSync(packed, 'utf8')
        .split('\n')
        .find((row) => row.endsWith(` ${ref}`))
    : undefined
  return line?.split(' ')[0] ?? 'unknown'
}
