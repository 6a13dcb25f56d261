import { join } from 'node:path'
import { z } from 'zod'
import { processEnvironment } from '../../src/config.ts'
import { waitAtMost } from '../../src/lib/wait-at-most.ts'

const ROOT = join(import.meta.dir, '../..')
/** Seconds on a quiet machine; one that runs several of them at once is slower by far. */
const READY_MS = 100_000

const readyMessage = z.looseObject({ type: z.literal('ready'), port: z.number().optional() })

export type ProductProcess = {
  readonly name: string
  readonly pid: number
  readonly port: number
  /** Its log, line by line, as it is written. */
  readonly log: Record<string, unknown>[]
  readonly alive: boolean
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<number>
  /** SIGTERM; after `timeoutMs` SIGKILL. @returns whether it ended by itself */
  stop(timeoutMs: number): Promise<boolean>
}

/** Starts a program of the product and waits until it is ready. @throws Error with its log when it does not become ready */
export async function startProductProcess(file: string, env: Record<string, string>): Promise<ProductProcess> {
  const log: Record<string, unknown>[] = []
  const { promise: ready, resolve, reject } = Promise.withResolvers<z.infer<typeof readyMessage>>()
  const child = Bun.spawn([process.execPath, join(ROOT, file)], {
    cwd: ROOT,
    env: { ...machineEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    serialization: 'json',
    ipc: (message) => {
      const parsed = readyMessage.safeParse(message)
      if (parsed.success) resolve(parsed.data)
    },
    onExit: (_, code, signal) => reject(new Error(`${file} ended with ${code ?? signal}: ${tail(log)}`)),
  })
  // A later end has no waiter left.
  ready.catch(() => {})
  void collect(child.stdout, log)
  void collect(child.stderr, log)
  const timer = setTimeout(() => reject(new Error(`${file} was not ready in time: ${tail(log)}`)), READY_MS)
  try {
    const message = await ready
    return {
      name: file,
      pid: child.pid,
      port: message.port ?? 0,
      log,
      get alive() {
        return child.exitCode === null && child.signalCode === null
      },
      kill: (signal) => child.kill(signal),
      exited: child.exited,
      async stop(timeoutMs) {
        if (child.exitCode !== null || child.signalCode !== null) return true
        child.kill('SIGTERM')
        // A process that a test has paused would never receive it.
        child.kill('SIGCONT')
        const late = (await waitAtMost(child.exited, timeoutMs)) === undefined
        if (late) child.kill('SIGKILL')
        await child.exited
        return !late
      },
    }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Runs a program of the product to its end; answers its output. @throws Error when it fails */
export async function runToEnd(
  file: string,
  env: Record<string, string>,
  args: string[] = [],
  timeoutMs = 60_000,
): Promise<string> {
  const child = Bun.spawn([process.execPath, join(ROOT, file), ...args], {
    cwd: ROOT,
    env: { ...machineEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${file} ended with ${code}:\n${out.slice(-4_000)}\n${err.slice(-4_000)}`)
  return out
}

/** A program's environment from this machine, without settings: those are the test's. */
export function machineEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = processEnvironment()
  return { PATH, HOME, TMPDIR }
}

async function collect(stream: ReadableStream<Uint8Array>, log: Record<string, unknown>[]): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') log.push(parseLine(line))
  }
}

function parseLine(line: string): Record<string, unknown> {
  // Lines of other writers stay as they are.
  return line.startsWith('{') ? z.record(z.string(), z.unknown()).parse(JSON.parse(line)) : { msg: line }
}

function tail(log: Record<string, unknown>[]): string {
  return log
    .slice(-8)
    .map((line) => JSON.stringify(line))
    .join('\n')
}
