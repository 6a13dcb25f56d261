import type { BusinessContext } from '../domain/context.ts'
import { setAside } from '../domain/inbox/index.ts'
import { eventKey } from '../jobs/registry.ts'
import { failureKind } from '../lib/errors.ts'
import type { InboundEvent, ReceiptEvent } from '../providers/whatsapp/port.ts'

/** Pauses in ms between attempts at an event that the store refuses. */
const PAUSES_MS = [200, 800]

/** Stores an inbound event; rejects while the database is down, so that WhatsApp redelivers. Refused ones are set aside. */
export async function storeOrSetAside(
  ctx: BusinessContext,
  accountId: string,
  event: InboundEvent,
  store: () => Promise<void>,
): Promise<void> {
  await attempt(store, async (error, attempts) => {
    await setAside(ctx, {
      job: 'whatsapp.store',
      key: eventKey('whatsapp.store', event.dedupeKey),
      payload: { businessId: ctx.businessId, accountId, event },
      error,
      attempts,
    })
  })
}

/** The same for receipts: together, and one by one when one of them is refused. */
export async function applyOrSetAside(
  ctx: BusinessContext,
  accountId: string,
  events: ReceiptEvent[],
  apply: (events: ReceiptEvent[]) => Promise<void>,
): Promise<void> {
  try {
    await apply(events)
    return
  } catch (error) {
    if (failureKind(error) === 'transient') throw error
  }
  for (const event of events) {
    const { providerMessageId, status, errorCode, at } = event
    const payload = {
      provider: 'baileys',
      businessId: ctx.businessId,
      accountId,
      providerMessageId,
      status,
      errorCode,
      onlyFor: [ctx.businessId],
      at,
    }
    await attempt(
      () => apply([event]),
      async (error, attempts) => {
        const key = eventKey('message.status', `${accountId}:${providerMessageId}:${status}`)
        await setAside(ctx, { job: 'message.status', key, payload, error, attempts })
      },
    )
  }
}

async function attempt(run: () => Promise<void>, giveUp: (error: unknown, attempts: number) => Promise<void>) {
  for (let attempts = 1; ; attempts++)
    try {
      await run()
      return
    } catch (error) {
      if (failureKind(error) === 'transient') throw error
      const pause = PAUSES_MS[attempts - 1]
      if (pause === undefined) {
        await giveUp(error, attempts)
        return
      }
      await Bun.sleep(pause)
    }
}
