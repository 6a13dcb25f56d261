import { rmSync } from 'node:fs'
import { findFreePort } from '../../src/lib/net.ts'
import { onTestsEnd, temporaryDirectory } from './cleanup.ts'

export type TestRedis = {
  url: string
  /** Ends the server at once; its durable data is back after `start`. */
  halt(): Promise<void>
  start(): Promise<void>
  freeze(): void
  thaw(): void
  /** Ends the server and removes its files. */
  dispose(): Promise<void>
}

/** A real redis-server of its own on a free port. */
export async function startRedis(extraArguments: string[] = []): Promise<TestRedis> {
  const port = await findFreePort('127.0.0.1')
  const directory = temporaryDirectory('redis')
  let server: ReturnType<typeof spawnServer> | null = null

  const spawnServer = () =>
    Bun.spawn(
      [
        'redis-server',
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory],
        ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--loglevel', 'warning'],
        ...extraArguments,
      ],
      { stdout: 'ignore', stderr: 'inherit' },
    )
  const halt = async () => {
    server?.kill('SIGKILL')
    await server?.exited
    server = null
  }
  const start = async () => {
    server = spawnServer()
    const deadline = Date.now() + 10_000
    while (!(await answersPing(port))) {
      if (Date.now() > deadline) throw new Error('redis-server does not answer')
      await Bun.sleep(20)
    }
  }
  const freeze = () => void server?.kill('SIGSTOP')
  const thaw = () => void server?.kill('SIGCONT')
  const dispose = async () => {
    await halt()
    rmSync(directory, { recursive: true, force: true })
  }
  await start()
  onTestsEnd(dispose)
  return { url: `redis://127.0.0.1:${port}`, halt, start, freeze, thaw, dispose }
}

async function answersPing(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  try {
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        open: (open) => void open.write('PING\r\n'),
        data: (_socket, data) => resolve(data.toString().startsWith('+PONG')),
        error: () => resolve(false),
        close: () => resolve(false),
      },
    })
    return await promise.finally(() => socket.end())
  } catch {
    // Connection refused: not up yet.
    return false
  }
}
