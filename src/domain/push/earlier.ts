import { asc, eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { pushDeliveries } from '../../../db/schema/index.ts'

const MOST = 200

/** Takes over what version 0.2 had not sent when it stopped: each is read once, and ends there. A test is not repeated. */
export async function takeEarlierDeliveries(tx: Executor) {
  const waiting = tx
    .select({ id: pushDeliveries.id })
    .from(pushDeliveries)
    .where(eq(pushDeliveries.state, 'pending'))
    .orderBy(asc(pushDeliveries.notBefore))
    .limit(MOST)
    .for('update', { skipLocked: true })
  const ids = (await waiting).map(({ id }) => id)
  const taken = []
  for (const id of ids)
    taken.push(
      ...(await tx
        .update(pushDeliveries)
        .set({ state: 'dropped', error: 'taken over by alerts' })
        .where(eq(pushDeliveries.id, id))
        .returning({
          businessId: pushDeliveries.businessId,
          kind: pushDeliveries.kind,
          entityId: pushDeliveries.entityId,
        })),
    )
  return taken.flatMap(({ kind, ...row }) => (kind === 'test' ? [] : [{ ...row, kind }]))
}
