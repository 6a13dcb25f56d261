import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { HonoAdapter } from '@bull-board/hono'
import type { Queue } from 'bullmq'
import { Hono } from 'hono'
import { serveStatic } from 'hono/bun'
import type { JobQueue } from '../jobs/backend.ts'
import { redactPayload, redactReason } from '../jobs/redact.ts'
import { AppError } from '../lib/errors.ts'

const BASE = '/admin/queues'
const MAX_STACK = 5_000

/** Scripts and requests of this server only; the board's scripts set inline styles. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "form-action 'none'",
  "base-uri 'self'",
  "frame-ancestors 'none'",
].join('; ')

/** The board highlights errors in a worker, whose parts are loaded under the policy of its own script. */
const SCRIPT_POLICY = "default-src 'none'; script-src 'self'"

export function createBoard(queues: JobQueue[]): Hono {
  const server = new HonoAdapter(serveStatic)
  server.setBasePath(BASE)
  createBullBoard({
    // The board is typed for BullMQ's Redis queues; Postgres queues have the same methods.
    queues: queues.map((queue: unknown) => {
      const adapter = new BullMQAdapter(queue as Queue)
      // The board shows ids and reasons, never personal data or secrets.
      adapter.setFormatter('data', redactPayload)
      adapter.setFormatter('returnValue', redactPayload)
      return adapter
    }),
    serverAdapter: server,
    options: { uiConfig: { boardTitle: 'AgentLocator' } },
  })
  const app = new Hono()
  app.patch('/api/queues/:queue/:job/update-data', refuseData)
  app.post('/api/queues/:queue/add', refuseData)
  app.use('/static/js/*', async (c, next) => {
    await next()
    c.res.headers.set('Content-Security-Policy', SCRIPT_POLICY)
  })
  app.use('/api/*', async (c, next) => {
    await next()
    const isJson = c.res.headers.get('content-type')?.startsWith('application/json') ?? false
    if (isJson) c.res = new Response(redactFailures(await c.res.text()), c.res)
  })
  app.use(async (c, next) => {
    await next()
    if (!c.res.headers.get('content-type')?.startsWith('text/html')) return
    // The page loads fonts from Google; a self-hosted console makes no request to third parties.
    const page = await c.res.text()
    c.res.headers.set('Content-Security-Policy', PAGE_POLICY)
    c.res = new Response(page.replace(/<link [^>]*fonts\.(googleapis|gstatic)\.com[^>]*>/g, ''), c.res)
  })
  app.route('/', server.registerPlugin())
  return app
}

/** The board shows data redacted: what it sends back, for this job or a copy, has lost what is hidden. */
function refuseData(): never {
  throw new AppError(
    'forbidden',
    'job_data_is_fixed',
    'The data of a job cannot be written here. Retry the job, or repeat what made it.',
  )
}

/** The board formats no reasons of failures, which may quote what a stranger sent. */
function redactFailures(json: string): string {
  const redacted: unknown = JSON.parse(json, (name, value: unknown) => {
    if ((name === 'failedReason' || name === 'deferredFailure') && typeof value === 'string') return redactReason(value)
    if (name === 'stacktrace' && Array.isArray(value))
      return value.map((stack) => redactReason(String(stack), MAX_STACK))
    return value
  })
  return JSON.stringify(redacted)
}
