import { createApp } from './app.ts'
import { type Config, loadConfig, processEnvironment } from './config.ts'
import { createDeps, startHeartbeat } from './deps.ts'
import { notifyReady, onShutdown } from './lib/lifecycle.ts'

/** The web server: webhooks, media socket, APIs, console. Ends after its live calls, or after DRAIN_SECONDS. */
export async function serve(config: Config) {
  const deps = await createDeps(config, 'web')
  const app = createApp(deps)
  await app.start()
  const server = Bun.serve({
    hostname: config.host,
    port: config.port,
    // Several web processes share one port; the kernel spreads the connections.
    reusePort: config.webConcurrency > 1,
    idleTimeout: 60,
    // Every reader has its own limit; Bun's would answer 413 where an address must answer 204 whatever comes.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: app.fetch,
    websocket: app.websocket,
  })
  const heartbeat = await startHeartbeat(deps, 'web')
  deps.log.info({ host: server.hostname, port: server.port }, 'the web server listens')

  async function stop() {
    app.beginDrain()
    await heartbeat.stop()
    deps.log.info({ liveCalls: app.liveCalls(), drainSeconds: config.drainSeconds }, 'the web server drains')
    const deadline = Date.now() + config.drainSeconds * 1_000
    while (app.liveCalls() > 0 && Date.now() < deadline) await Bun.sleep(100)
    await app.endCalls()
    await server.stop(true)
    await app.stop()
    await deps.close()
    deps.log.info('the web server has stopped')
  }
  return { server, app, deps, stop }
}

if (import.meta.main) {
  const { server, deps, stop } = await serve(loadConfig(processEnvironment()))
  onShutdown(stop, deps.log)
  notifyReady({ port: server.port })
}
