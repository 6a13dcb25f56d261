import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'

export const SECRET = 'bench secret of the stream tokens'
export const AUTH_TOKEN = '0123456789abcdef0123456789abcdef'
export const PUBLIC = 'https://bench.example'

export const MODES = ['bun', 'node', 'product'] as const
export type Mode = (typeof MODES)[number]

/**
 * CPU since the process began, and how long its main thread was ready and had no core (Linux tells; else 0): what other
 * processes did to the figures. In seconds; memory in bytes.
 */
export type Usage = { cpuSeconds: number; waitedSeconds: number; rss: number }

export type Relay = {
  port: number
  usage(): Promise<Usage>
  stop(): Promise<void>
}

const usageAnswer = z.object({ cpu: z.object({ user: z.number(), system: z.number() }), rss: z.number() })
const portAnswer = z.object({ port: z.number() })

/**
 * The relay has a core, and both ends of its calls have another: left to the scheduler, which of them share one changes from run
 * to run, and what a message costs with it by half.
 */
const LOAD_CORE = 0
export const RELAY_CORE = 1

/** What runs a command on one core; nothing where there is no such tool, or no second core. */
export function onCore(core: number): string[] {
  return availableParallelism() > 1 && Bun.which('taskset') ? ['taskset', '--cpu-list', String(core)] : []
}

/** Keeps this process, which plays both ends, off the relay's core. */
export function takeLoadCore(): void {
  const [tool] = onCore(LOAD_CORE)
  if (tool) Bun.spawnSync([tool, '--all-tasks', '--cpu-list', '--pid', String(LOAD_CORE), String(process.pid)])
}

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
  const server = await spawnServer([...onCore(RELAY_CORE), ...command])
  return {
    port: portAnswer.parse(server.first).port,
    usage: async () => usageOf(await server.ask(), server.pid),
    async stop() {
      await server.stop()
      rmSync(records, { recursive: true, force: true })
    },
  }
}

/** Reads what a server answers when it is asked. */
export function usageOf(answer: unknown, pid: number): Usage {
  const { cpu, rss } = usageAnswer.parse(answer)
  const schedule = `/proc/${pid}/schedstat`
  const waited = existsSync(schedule) ? Number(readFileSync(schedule, 'utf8').split(' ')[1]) : 0
  return { cpuSeconds: (cpu.user + cpu.system) / 1e6, waitedSeconds: waited / 1e9, rss }
}

/** Runs a server that says something once it is ready, and gives one answer whenever it is asked. */
export async function spawnServer(
  command: readonly string[],
): Promise<{ pid: number; first: unknown; ask(): Promise<unknown>; stop(): Promise<void> }> {
  const answers: ((message: unknown) => void)[] = []
  const child = Bun.spawn([...command], {
    stdio: ['ignore', 'inherit', 'inherit'],
    serialization: 'json',
    ipc: (message) => answers.shift()?.(message),
  })
  const ended = child.exited.then((code) => {
    throw new Error(`${command.join(' ')} ended with ${code}`)
  })
  // Ending it ourselves is no failure.
  ended.catch(() => {})
  const next = () => Promise.race([new Promise<unknown>((resolve) => answers.push(resolve)), ended])
  return {
    pid: child.pid,
    first: await next(),
    ask() {
      const answer = next()
      child.send({ usage: true })
      return answer
    },
    async stop() {
      child.kill()
      await child.exited
    },
  }
}
