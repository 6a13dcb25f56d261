import { type SQL, sql } from 'drizzle-orm'
import type { Database, Executor } from '../../db/client.ts'
import { auditLog } from '../../db/schema/index.ts'
import type { Enqueue } from '../jobs/registry.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'
import { NOTICED_EVENTS } from './alerts/kinds.ts'

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
  /** Keys the fingerprints of erased people: numbers are few, and a plain hash of one is found by trying them all. */
  identityKey?: Uint8Array
  /** Reads what changed in calendars outside, in a short time; where a process has none, their copy counts. */
  refreshCalendars?: (ctx: BusinessContext) => Promise<void>
}

/** A context bound to one business: every query of a verb that takes it is scoped by `businessId`. */
export type BusinessContext = DomainContext & { businessId: string }

export function within(ctx: DomainContext, businessId: string, actor: Actor = ctx.actor): BusinessContext {
  return { ...ctx, businessId, actor }
}

export type AuditEntry = {
  action: string
  entity: string
  entityId: string
  data?: Record<string, unknown>
}

/** The channel on which a commit tells the server processes that there are events to read. */
export const EVENT_CHANNEL = 'agentlocator_events'

/** Writes the audit row and the event of a change; called inside the transaction of the change it describes. */
export async function audit(tx: Executor, ctx: DomainContext & { businessId?: string }, entry: AuditEntry) {
  const { businessId, actor } = ctx
  if (!businessId) {
    await tx.insert(auditLog).values({ businessId: null, actorKind: actor.kind, actorId: actor.id, ...entry })
    return
  }
  // One round trip: every change of the product waits for it.
  const { action, entity, entityId, data } = entry
  await tx.execute(sql`
    with audited as (
      insert into ${auditLog} (id, business_id, actor_kind, actor_id, action, entity, entity_id, data)
      values (${newId()}, ${businessId}, ${actor.kind}, ${actor.id}, ${action}, ${entity}, ${entityId},
        ${data ? JSON.stringify(data) : null}::text::jsonb)
    ), ${eventsOf(actor, eventRow(businessId, entry))}
    select notified from notified`)
}

export async function auditOnly(tx: Executor, ctx: BusinessContext, entry: AuditEntry): Promise<void> {
  const { businessId, actor } = ctx
  await tx.insert(auditLog).values({ businessId, actorKind: actor.kind, actorId: actor.id, ...entry })
}

/**
 * Writes an event with its webhook deliveries and, where members may have to be notified, a notice of that, and wakes those who
 * listen when the transaction commits. An event leaves the installation by webhook; its data goes when its entity is erased
 * (`eraseEvents`).
 */
export async function emit(tx: Executor, ctx: Pick<BusinessContext, 'businessId' | 'actor'>, entry: AuditEntry) {
  await tx.execute(sql`with ${eventsOf(ctx.actor, eventRow(ctx.businessId, entry))} select notified from notified`)
}

/** Writes several events in one statement, each as `emit` does. */
export async function emitAll(tx: Executor, actor: Actor, entries: (AuditEntry & { businessId: string })[]) {
  if (entries.length === 0) return
  const rows = sql.join(
    entries.map((entry) => eventRow(entry.businessId, entry)),
    sql` union all `,
  )
  await tx.execute(sql`with ${eventsOf(actor, rows)} select notified from notified`)
}

function eventRow(businessId: string, { action, entity, entityId, data }: AuditEntry): SQL {
  return sql`select ${businessId}::uuid as business_id, ${action}::text as type, ${entity}::text as entity,
    ${entityId}::text as entity_id, ${data ? JSON.stringify(data) : null}::text::jsonb as data`
}

/**
 * Parts of a `with` that write events for `rows` (business_id, type, entity, entity_id, data); read the last, `notified`.
 */
export function eventsOf(actor: Actor, rows: SQL): SQL {
  return sql`event as (
      insert into events (business_id, type, entity, entity_id, actor_kind, data)
      select business_id, type, entity, entity_id, ${actor.kind}, data from (${rows}) as changes
      returning seq, business_id, type
    ), deliveries as (
      insert into webhook_deliveries (endpoint_id, event_seq, business_id)
      select endpoint.id, event.seq, event.business_id
      from event join webhook_endpoints endpoint on endpoint.business_id = event.business_id
      where endpoint.enabled and (endpoint.types is null or event.type = any(endpoint.types)
        or split_part(event.type, '.', 1) || '.*' = any(endpoint.types))
      -- An endpoint that is just being removed is waited for and left out; its foreign key would fail the change.
      for key share of endpoint
    ), notices as (
      insert into push_notices (event_seq, business_id)
      select event.seq, event.business_id from event
      where event.type in (${sql.join(
        NOTICED_EVENTS.map((type) => sql`${type}`),
        sql`, `,
      )})
    ), notified as (
      select pg_notify(${EVENT_CHANNEL}, '') as notified from event limit 1
    )`
}
