import { Hono } from 'hono'
import type { DomainContext } from '../domain/context.ts'
import { processesAlive } from '../domain/system/index.ts'
import { errorMessage } from '../lib/errors.ts'
import { withTimeout } from '../lib/timeout.ts'

export type HealthDeps = {
  ctx: DomainContext
  mayOperate(request: Request): Promise<boolean>
  version: { name: string; version: string; commit: string; bun: string }
  pingQueue(): Promise<void>
  draining(): boolean
  metrics: { contentType: string; metrics(): Promise<string> }
}

const CHECK_MS = 2_000
const WORKERS = ['whatsapp', 'crm', 'recordings'] as const

type Check = { ok: true } | { ok: false; why: string }

export function createHealth(deps: HealthDeps): Hono {
  const app = new Hono()
  const { name, version } = deps.version

  app.get('/', (c) => {
    if (c.req.header('accept')?.includes('text/html')) return c.redirect('/console', 302)
    return c.json({
      name,
      links: {
        health: '/healthz',
        readiness: '/readyz',
        version: '/version',
        metrics: '/metrics',
        console: '/console',
        queues: '/admin/queues',
        twimlPreview: '/webhook/incoming_call_preview',
        whatsapp: '/api/whatsapp/status',
        trpc: '/trpc',
      },
    })
  })

  app.get('/healthz', (c) => c.json({ status: 'ok' }))

  app.get('/readyz', async (c) => {
    let alive: Awaited<ReturnType<typeof processesAlive>> | null = null
    const [database, queue] = await Promise.all([
      check(async () => {
        alive = await processesAlive(deps.ctx)
      }),
      check(deps.pingQueue),
    ])
    const checks: Record<string, Check> = {
      database,
      queue,
      draining: deps.draining() ? { ok: false, why: 'This server is stopping.' } : { ok: true },
    }
    for (const kind of WORKERS)
      checks[`${kind}Worker`] = alive?.[kind]
        ? { ok: true }
        : { ok: false, why: 'There was no heartbeat for 15 seconds.' }
    const missing = Object.keys(checks).filter((key) => !checks[key]?.ok)
    const status = missing.length === 0 ? 'ready' : 'not_ready'
    // The details are for operators only; a load balancer needs the status.
    const details = (await deps.mayOperate(c.req.raw)) ? { missing, checks } : {}
    return c.json({ status, ...details }, missing.length ? 503 : 200)
  })

  app.get('/version', async (c) => c.json((await deps.mayOperate(c.req.raw)) ? deps.version : { name, version }))

  app.get('/metrics', async (c) =>
    c.body(await deps.metrics.metrics(), 200, { 'Content-Type': deps.metrics.contentType }),
  )

  return app
}

async function check(run: () => Promise<void>): Promise<Check> {
  try {
    await withTimeout(run(), CHECK_MS)
    return { ok: true }
  } catch (error) {
    return { ok: false, why: errorMessage(error) }
  }
}
