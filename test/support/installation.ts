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
  /** Whether a web server answers. */
  isUp(): Promise<boolean>
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
  const url = `http://localhost:${port}`
  const isUp = async () => {
    try {
      return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok
    } catch (error) {
      // Nothing listens on the port, or it closes the connection: that is the answer.
      if (error instanceof Error) return false
      throw error
    }
  }
  return { dataDir, url, settings, output: () => text, isUp, stop }
}

/** SIGKILL for each web server of the installation on `dataDir`, the standby too. */
export function killWebServers(dataDir: string): void {
  const ofIt = readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return command.includes('web-server.ts') && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(dataDir)
    } catch {
      // It ended while we looked, or is another user's.
      return false
    }
  })
  if (ofIt.length === 0) throw new Error(`No web server of ${dataDir} runs.`)
  for (const pid of ofIt) process.kill(Number(pid), 'SIGKILL')
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
