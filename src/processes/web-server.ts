import { z } from 'zod'
import { createDeps } from '../composition/deps.ts'
import { type Config, loadConfig, processEnvironment } from '../config.ts'
import { guardProcess, notifyReady, onShutdown } from '../lib/lifecycle.ts'
import { startHeartbeat } from './heartbeat.ts'
import { createApp } from './web-app.ts'

/** A server that ends releases its port within moments. */
const PORT_TRIES = 200
/** How long a server that ended calls itself still answers the carrier about them. */
const CUT_OFF_MS = 2_000

/** The web server, ready but for the port, which `listen` takes; `stop` waits for live calls up to DRAIN_SECONDS. */
export async function prepareServer(config: Config) {
  const deps = await createDeps(config, 'web')
  const app = createApp(deps)
  await app.start()
  let server: ReturnType<typeof open> | undefined
  let heartbeat: Awaited<ReturnType<typeof startHeartbeat>> | undefined

  function open() {
    return Bun.serve({
      hostname: config.host,
      port: config.port,
      // Several web processes share one port; the kernel spreads the connections.
      reusePort: config.webConcurrency > 1,
      idleTimeout: 60,
      // Every reader has its own limit; Bun's answers 413 where an address must always answer 204.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: app.fetch,
      websocket: app.websocket,
    })
  }

  return {
    app,
    deps,
    async listen() {
      for (let tries = 1; !server; tries++) {
        try {
          server = open()
        } catch (error) {
          const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
          if (!taken || tries === PORT_TRIES) throw error
          await Bun.sleep(5)
        }
      }
      deps.log.info({ host: server.hostname, port: server.port }, 'web server listening')
      heartbeat = await startHeartbeat(deps, 'web')
      return server
    },
    async stop() {
      app.beginDrain()
      deps.log.info({ liveCalls: app.liveCalls(), drainSeconds: config.drainSeconds }, 'web server draining')
      const deadline = Date.now() + config.drainSeconds * 1_000
      while (app.liveCalls() > 0 && Date.now() < deadline) await Bun.sleep(100)
      const cutOff = app.liveCalls()
      await app.endCalls()
      // The carrier asks within moments what to do with the caller; perhaps no other server is there to answer.
      if (cutOff > 0) await Bun.sleep(CUT_OFF_MS)
      // Not earlier: calls of a server without a heartbeat count as lost.
      await heartbeat?.stop()
      await server?.stop(true)
      await app.stop()
      await deps.close()
      deps.log.info('web server stopped')
    },
  }
}

if (import.meta.main) {
  const prepared = await prepareServer(loadConfig(processEnvironment()))
  guardProcess(prepared.deps.log)
  onShutdown(prepared.stop, prepared.deps.log)
  if (process.argv.includes('--standby')) {
    // The supervisor decides which server takes the port.
    process.on('message', (message) => {
      if (!z.object({ type: z.literal('listen') }).safeParse(message).success) return
      prepared.listen().then(
        ({ port }) => process.send?.({ type: 'listening', port }),
        (error: unknown) => {
          prepared.deps.log.fatal({ err: error }, 'port not taken')
          process.exit(1)
        },
      )
    })
    notifyReady()
  } else {
    const { port } = await prepared.listen()
    notifyReady({ port })
  }
}
