import { z } from 'zod'

/** A running product with its sandbox, as channels reach it. */
export type EvalProduct = {
  publicBaseUrl: string
  /** Where its web server listens. */
  connectBaseUrl: string
  /** Root of the sandbox's carrier. */
  carrierUrl: string
  /** Where rendered speech is kept. */
  cacheDir: string
}

/** Asks the sandbox's carrier. @throws Error with what it answered */
export async function askCarrier<Schema extends z.ZodType>(
  { carrierUrl }: Pick<EvalProduct, 'carrierUrl'>,
  path: string,
  body: unknown,
  schema: Schema,
  timeoutMs = 30_000,
): Promise<z.output<Schema>> {
  const response = await fetch(`${carrierUrl}/_control${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (!response.ok) throw new Error(`The sandbox's carrier answered ${response.status}: ${await response.text()}`)
  return schema.parse(await response.json())
}

/** Waits until something is there. @throws Error that names it */
export async function waitFor<Value>(
  read: () => Promise<Value | null>,
  what: string,
  timeoutMs: number,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const value = await read()
    if (value !== null) return value
    if (Date.now() > deadline) throw new Error(`It was waited ${timeoutMs / 1_000} s in vain for ${what}.`)
    await Bun.sleep(150)
  }
}

export const inbound = z.object({ deliveries: z.array(z.object({ status: z.number().nullable() })) })

/** Twilio's answer when no business has the sender: the servers have not read it yet. */
export const NOT_LISTED = 404
export const LISTED_MS = 30_000

/**
 * Waits until the servers know that there are several businesses: the only one of an installation gets what comes to any number.
 */
export async function untilSeveral(product: EvalProduct): Promise<void> {
  const message = { from: '+972500000000', to: '+972330000000', body: 'Is anyone there?', profileName: '' }
  const webhookUrl = `${product.publicBaseUrl}/webhook/whatsapp/twilio`
  await waitFor(
    async () => {
      const { deliveries } = await askCarrier(product, '/whatsapp/inbound', { webhookUrl, ...message }, inbound)
      return deliveries.at(-1)?.status === NOT_LISTED ? true : null
    },
    'the servers to know of more than one business',
    LISTED_MS,
  )
}

/** Numbers that no other play of this process has. */
export function createNumbers(prefix: string, digits: number): () => string {
  let next = Math.floor(Math.random() * 10 ** (digits - 1))
  return () => `${prefix}${String(next++ % 10 ** digits).padStart(digits, '0')}`
}
