import type { Database, Executor } from '../../db/client.ts'
import { auditLog } from '../../db/schema/index.ts'
import type { Enqueue } from '../jobs/registry.ts'
import type { Logger } from '../lib/log.ts'

/** Who asks: written into the audit log with every change. */
export type Actor =
  | { kind: 'user'; id: string }
  | { kind: 'api_key'; id: string }
  | { kind: 'webhook'; id: string }
  | { kind: 'system'; id: string }

/** What a verb works with. One is made per process; `as` and `within` narrow it per request. */
export type DomainContext = {
  db: Database
  enqueue: Enqueue
  log: Logger
  actor: Actor
}

/** A context bound to one business: every query of a verb that takes it is scoped by `businessId`. */
export type BusinessContext = DomainContext & { businessId: string }

/** The context bound to a business, on behalf of an actor. */
export function within(ctx: DomainContext, businessId: string, actor: Actor = ctx.actor): BusinessContext {
  return { ...ctx, businessId, actor }
}

export type AuditEntry = {
  action: string
  entity: string
  entityId: string
  data?: Record<string, unknown>
}

/** Writes the audit row; called inside the transaction of the change it describes. */
export async function audit(tx: Executor, ctx: DomainContext & { businessId?: string }, entry: AuditEntry) {
  await tx.insert(auditLog).values({
    businessId: ctx.businessId ?? null,
    actorKind: ctx.actor.kind,
    actorId: ctx.actor.id,
    ...entry,
  })
}
