import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'

export const SECRET = 'bench secret of the stream tokens'
export const AUTH_TOKEN = '0123456789abcdef0123456789abcdef'
export const PUBLIC = 'https://bench.example'

export const MODES = ['bun', 'node', 'product'] as const
export type Mode = (typeof MODES)[number]

/** CPU since the process began, in seconds; memory in bytes. */
export type Usage = { cpuSeconds: number; rss: number }

export type Relay = {
  port: number
  usage(): Promise<Usage>
  stop(): Promise<void>
}

const usageAnswer = z.object({ cpu: z.object({ user: z.number(), system: z.number() }), rss: z.number() })
const portAnswer = z.object({ port: z.number() })

/** Starts a relay in a process of its own, between the carrier and the engine at `enginePort`. */
export async function startRelay(mode: Mode, enginePort: number): Promise<Relay> {
  const engineUrl = `ws://127.0.0.1:${enginePort}/v1/realtime`
  const records = mkdtempSync(join(tmpdir(), 'agentlocator-bench-'))
  const here = import.meta.dir
  const command = {
    bun: [process.execPath, join(here, 'relay-bun.ts'), engineUrl],
    node: ['node', join(here, 'relay-node.mjs'), engineUrl],
    product: [process.execPath, join(here, 'product.ts'), engineUrl, SECRET, AUTH_TOKEN, records, PUBLIC],
  }[mode]
  return spawnRelay(command, () => rmSync(records, { recursive: true, force: true }))
}

/** Runs a server that tells its port first, and its usage whenever it is asked. */
export async function spawnRelay(command: readonly string[], clean: () => void = () => {}): Promise<Relay> {
  const answers: ((message: unknown) => void)[] = []
  const child = Bun.spawn([...command], {
    stdio: ['ignore', 'inherit', 'inherit'],
    serialization: 'json',
    ipc: (message) => answers.shift()?.(message),
  })
  const next = () => {
    const answer = new Promise<unknown>((resolve) => answers.push(resolve))
    const ended = child.exited.then((code) => {
      throw new Error(`${command.join(' ')} ended with ${code}`)
    })
    return Promise.race([answer, ended])
  }
  const { port } = portAnswer.parse(await next())
  return {
    port,
    async usage() {
      const answer = next()
      child.send({ usage: true })
      const { cpu, rss } = usageAnswer.parse(await answer)
      return { cpuSeconds: (cpu.user + cpu.system) / 1e6, rss }
    },
    async stop() {
      child.kill()
      await child.exited
      clean()
    },
  }
}
