import type { Server } from 'bun'
import { createDeps, type Deps } from '../../src/composition/deps.ts'
import { loadConfig } from '../../src/config.ts'
import { createApiKey, ensureFirstBusiness } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import type { Scope } from '../../src/domain/members/index.ts'
import type { MediaSocketData } from '../../src/media/socket.ts'
import { type App, createApp } from '../../src/processes/web-app.ts'
import { temporaryDirectory } from './cleanup.ts'
import { shareRenderedPrompts } from './prompts.ts'

export type TestServer = {
  url: string
  app: App
  deps: Deps
  server: Server<MediaSocketData>
  businessId: string
  key(scope: Scope, businessId?: string): Promise<string>
  stop(): Promise<void>
}

export async function startTestServer(
  databaseUrl: string,
  environment: Record<string, string> = {},
): Promise<TestServer> {
  const dataDir = temporaryDirectory('web')
  shareRenderedPrompts(dataDir)
  const config = loadConfig({
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    PORT: '0',
    LOG_LEVEL: 'silent',
    SANDBOX: '0',
    API_RATE_LIMIT: '0',
    SESSION_SECRET: 'a secret of the tests',
    ...environment,
  })
  const deps = await createDeps(config, 'web')
  const businessId = await ensureFirstBusiness(deps.ctx, config.business)
  const app = createApp(deps)
  await app.start()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 60,
    fetch: app.fetch,
    websocket: app.websocket,
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    app,
    deps,
    server,
    businessId,
    key: async (scope, business = businessId) =>
      (
        await createApiKey(within(deps.ctx, business), {
          name: scope,
          scope,
          operator: scope === 'admin' && business === businessId,
        })
      ).key,
    async stop() {
      await server.stop(true)
      await app.stop()
      await deps.close()
    },
  }
}
