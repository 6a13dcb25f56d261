import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findFreePort } from '../../src/lib/net.ts'
import { waitAtMost } from '../../src/lib/wait-at-most.ts'
import { temporaryDirectory } from './cleanup.ts'
import { eventually } from './product.ts'
import { machineEnvironment } from './product-process.ts'

const ROOT = join(import.meta.dir, '../..')

export type Installation = {
  dataDir: string
  url: string
  /** The environment that its commands need. */
  settings: Record<string, string>
  /** What it wrote so far. */
  output(): string
  stop(): Promise<void>
}

/** The whole product by its supervisor on a directory of its own, up. */
export async function startInstallation(
  env: Record<string, string> = {},
  prepare: (dataDir: string) => void = () => {},
): Promise<Installation> {
  const dataDir = temporaryDirectory('installation')
  // As a person makes it: readable to all.
  chmodSync(dataDir, 0o755)
  prepare(dataDir)
  const port = String(await findFreePort('127.0.0.1'))
  const settings = { ...machineEnvironment(), DATA_DIR: dataDir, PORT: port, BUSINESS_LANGUAGE: 'en', ...env }
  const child = Bun.spawn([process.execPath, 'src/processes/supervisor.ts'], {
    cwd: ROOT,
    env: settings,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true })
  }
  void collect(child.stdout)
  void collect(child.stderr)
  const stop = async () => {
    child.kill('SIGTERM')
    const late = (await waitAtMost(child.exited, 30_000)) === undefined
    if (late) child.kill('SIGKILL')
    await child.exited
  }
  try {
    await eventually(
      () => {
        if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}:\n${text.slice(-3_000)}`)
        return text.includes('AgentLocator is up.')
      },
      'everything to be up',
      120_000,
    )
  } catch (error) {
    await stop()
    throw error
  }
  return { dataDir, url: `http://localhost:${port}`, settings, output: () => text, stop }
}

/** The command lines of all processes of this machine, as every user sees them. */
export function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')]
      } catch {
        // It ended while we looked.
        return []
      }
    })
}
