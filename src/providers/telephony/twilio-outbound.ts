import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { readAnswer } from '../answers.ts'
import type { Telephony } from './port.ts'
import { carrierError, GARBLED, type TwilioClient } from './twilio-client.ts'

const TIMEOUT_MS = 15_000
/** Clocks differ: what is from shortly before the attempt is included. */
const CLOCK_SKEW_MS = 120_000

const made = z.object({ sid: z.string().regex(/^(SM|MM|CA)[0-9a-f]{32}$/i) })
const listed = z.object({
  sid: z.string(),
  direction: z.string().nullish(),
  date_created: z.string(),
  body: z.string().nullish(),
})
const messagesPage = z.object({ messages: z.array(listed) })
const callsPage = z.object({ calls: z.array(listed) })

type Outbound = Pick<Telephony, 'sendText' | 'findText' | 'ring' | 'findRing'>

/** SMS and outgoing calls (Twilio REST, Messages and Calls resources). Neither has an idempotency key: a lost answer is looked up. */
export function createTwilioOutbound(client: TwilioClient): Outbound {
  return {
    sendText: ({ from, to, text, statusUrl }) =>
      create(client, 'Messages.json', {
        ...{ From: from, To: to, Body: text },
        ...(statusUrl ? { StatusCallback: statusUrl } : {}),
      }),
    async findText({ from, to, text, since }) {
      const { messages } = await list(client, 'Messages.json', messagesPage, { From: from, To: to })
      return newest(
        messages.filter(({ body }) => body === text),
        since,
      )
    },
    ring: ({ from, to, url, statusUrl, seconds }) =>
      create(client, 'Calls.json', {
        From: from,
        To: to,
        Url: url,
        Method: 'POST',
        StatusCallback: statusUrl,
        StatusCallbackMethod: 'POST',
        Timeout: String(seconds),
      }),
    async findRing({ from, to, since, otherIds }) {
      const { calls } = await list(client, 'Calls.json', callsPage, { From: from, To: to })
      return newest(
        calls.filter(({ sid }) => !otherIds.includes(sid)),
        since,
      )
    },
  }
}

async function create(client: TwilioClient, resource: string, fields: Record<string, string>): Promise<string> {
  const request = { method: 'POST', body: new URLSearchParams(fields) }
  const response = await client.fetch(client.urlOf(resource), request, TIMEOUT_MS, 'outcome_unknown')
  if (response.ok) {
    try {
      return (await readAnswer(response, made, 'The carrier', GARBLED)).sid
    } catch (cause) {
      throw new AppError('unavailable', 'outcome_unknown', 'The carrier’s answer cannot be read.', { cause })
    }
  }
  const { code } = carrierError.safeParse(await response.json().catch(() => null)).data ?? {}
  const answer = `The carrier answered ${response.status}${code ? ` (${code})` : ''}.`
  if (response.status === 429) throw new AppError('unavailable', 'carrier_busy', answer)
  // A server error may come after it was taken.
  if (response.status >= 500) throw new AppError('unavailable', 'outcome_unknown', answer)
  throw new AppError('invalid', 'carrier_refused', answer)
}

async function list<Schema extends z.ZodType>(
  client: TwilioClient,
  resource: string,
  schema: Schema,
  filter: Record<string, string>,
): Promise<z.output<Schema>> {
  const query = new URLSearchParams({ ...filter, PageSize: '50' })
  return await client.request(`${client.pathOf(resource)}?${query}`, schema)
}

function newest(rows: z.output<typeof listed>[], since: Date): string | null {
  const from = since.getTime() - CLOCK_SKEW_MS
  const ours = rows.filter(({ direction, date_created }) => direction !== 'inbound' && Date.parse(date_created) >= from)
  return ours[0]?.sid ?? null
}
