import { Hono } from 'hono'
import { z } from 'zod'
import type { BusinessEnv } from '../../access/authenticate.ts'
import { listAccounts } from '../../domain/businesses/index.ts'
import type { BusinessContext } from '../../domain/context.ts'
import {
  getMessage,
  listMessages,
  type MessageView,
  messageFilters,
  requestMessage,
  type SendSettings,
  sendRequest,
  waitForMessage,
} from '../../domain/messages/index.ts'
import { parseInput } from '../errors.ts'
import { readText } from '../form-body.ts'
import { BODY_LIMITS, requireJson } from '../request-body.ts'

const MAX_WAIT_SECONDS = 60

const idParameter = z.object({ id: z.uuid('the id of a message') })

/** Aliases of the procedures of `messages`, at the paths of the field report. */
export function createWhatsAppApi(deps: { settings: SendSettings; baileysConfigured: boolean }) {
  const app = new Hono<BusinessEnv>()

  app.post('/send', async (c) => {
    const business = c.get('business')
    requireJson(c.req.raw)
    const request = parseInput(sendRequest, await readText(c.req.raw, BODY_LIMITS.api))
    const idempotencyKey = request.idempotencyKey ?? c.req.header('idempotency-key')
    const { id, status, parts } = await requestMessage(
      business,
      { ...request, ...(idempotencyKey ? { idempotencyKey } : {}) },
      deps.settings,
    )
    const wait = waitSeconds(c.req.header('prefer'))
    const sent = { success: true, id, ...(parts ? { parts } : {}) }
    if (wait === 0) return c.json({ ...sent, status }, 202)
    const message = await waitForAll(business, parts ?? [id], wait * 1000)
    const decided = message.status !== 'queued' && message.status !== 'sending'
    return c.json(
      {
        ...sent,
        status: message.status,
        ...(message.errorCode
          ? { error: { code: message.errorCode, message: message.errorMessage ?? 'The provider refused it.' } }
          : {}),
      },
      decided ? 200 : 202,
    )
  })

  app.get('/status/:id', async (c) => {
    const { id } = idParameter.parse(c.req.param())
    return c.json({ success: true, message: await getMessage(c.get('business'), id) })
  })

  app.get('/list', async (c) => {
    const page = await listMessages(c.get('business'), messageFilters.parse(c.req.query()))
    return c.json({ success: true, ...page })
  })

  app.get('/status', async (c) => {
    const accounts = await listAccounts(c.get('business'))
    const sending = deps.settings.twilio(c.get('business').businessId)
    const of = (provider: 'twilio' | 'baileys') => accounts.filter((account) => account.provider === provider)
    return c.json({
      success: true,
      providers: {
        twilio: {
          configured: sending.configured,
          ready: sending.configured && (of('twilio').some((a) => a.linked) || sending.defaultSender !== null),
          accounts: of('twilio'),
        },
        baileys: {
          configured: deps.baileysConfigured,
          ready: of('baileys').some((account) => account.state === 'working' && !account.confirmationNeeded),
          accounts: of('baileys'),
        },
      },
    })
  })

  return app
}

/** Waits for all parts of a message. A part that failed, or is not decided yet, stands for the whole. */
async function waitForAll(business: BusinessContext, ids: string[], timeoutMs: number): Promise<MessageView> {
  const deadline = Date.now() + timeoutMs
  const messages: MessageView[] = []
  for (const id of ids) messages.push(await waitForMessage(business, id, Math.max(0, deadline - Date.now())))
  const partIn = (status: MessageView['status']) => messages.find((message) => message.status === status)
  const found = partIn('failed') ?? partIn('unknown') ?? partIn('queued') ?? partIn('sending') ?? messages.at(-1)
  if (!found) throw new Error('A message has at least one part.')
  return found
}

/** `Prefer: wait=N` (RFC 7240), bounded. */
function waitSeconds(prefer: string | undefined): number {
  const seconds = Number(/(?:^|[,;\s])wait=(\d+)/i.exec(prefer ?? '')?.[1] ?? 0)
  return Math.min(seconds, MAX_WAIT_SECONDS)
}
