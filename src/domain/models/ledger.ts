import { and, eq, lte, sql } from 'drizzle-orm'
import type { Database, Executor } from '../../../db/client.ts'
import { modelReservations, modelSubjectUses, modelTroubles, modelUses } from '../../../db/schema/index.ts'
import { AppError, errorMessage, isOvertaken } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import type { ModelCharge, ModelLedger, ModelPurpose, ModelSubject } from '../../providers/models/port.ts'
import { lock } from '../locks.ts'
import { getModelSettings } from './settings.ts'
import { monthToDate } from './usage.ts'

/** A request that lasted longer than this beyond its own limit has died with its process. */
const GRACE_MS = 60_000
/** A working model is noted at most so often. */
const NOTED_MS = 60_000

type Subject = { conversationId: string | null; callId: string | null }

/** Keeps the budgets of all businesses in the database. A reservation and its settlement are one short transaction each. */
export function createModelLedger(db: Database, log: Logger): ModelLedger {
  /** Models that this process last saw failing, or working, and when. */
  const noted = new Map<string, { trouble: string | null; at: number }>()
  return {
    async reserve({ businessId, purpose, subject, estimate, lastsMs }) {
      const id = newId()
      const given = await db.transaction(async (tx) => {
        await lock(tx, `model-budget:${businessId}`)
        await chargeExpired(tx, businessId)
        const present = await presentSubject(tx, businessId, subject)
        await refuseBeyondBudget(tx, businessId, present, estimate)
        await tx.insert(modelReservations).values({
          ...{ id, businessId, purpose, ...present },
          model: estimate.model,
          input: estimate.inputTokens,
          output: estimate.outputTokens,
          costMicros: estimate.costMicros,
          expiresAt: new Date(Date.now() + lastsMs + GRACE_MS),
        })
        return present
      })
      return {
        async settle(charges) {
          try {
            await settle(db, { id, businessId, purpose, subject: given }, charges)
          } catch (error) {
            // What is not settled expires and is charged as estimated: the answer does not fail for it.
            log.error({ businessId, error: errorMessage(error) }, 'model use not settled')
          }
        },
      }
    },
    async report(businessId, model, failure) {
      const trouble = failure === 'refused' || failure === 'quota' ? failure : null
      // Other failures pass by themselves, and say nothing about the key.
      if (failure !== null && trouble === null) return
      const key = `${businessId} ${model}`
      const before = noted.get(key)
      if (before?.trouble === trouble && Date.now() - before.at < NOTED_MS) return
      noted.set(key, { trouble, at: Date.now() })
      try {
        await noteTrouble(db, businessId, model, trouble)
      } catch (error) {
        log.error({ businessId, model, error: errorMessage(error) }, 'state of a model not stored')
      }
    },
  }
}

async function noteTrouble(db: Database, businessId: string, model: string, trouble: 'refused' | 'quota' | null) {
  if (trouble === null) {
    await db.delete(modelTroubles).where(and(eq(modelTroubles.businessId, businessId), eq(modelTroubles.model, model)))
    return
  }
  const failedAt = new Date()
  await db
    .insert(modelTroubles)
    .values({ businessId, model, trouble, failedAt })
    .onConflictDoUpdate({ target: [modelTroubles.businessId, modelTroubles.model], set: { trouble, failedAt } })
}

/** The conversation or call, if it is there and the business's: it may have been erased by now. */
async function presentSubject(tx: Executor, businessId: string, subject: ModelSubject | null): Promise<Subject> {
  const none: Subject = { conversationId: null, callId: null }
  if (!subject) return none
  const [table, id] = 'callId' in subject ? [sql`calls`, subject.callId] : [sql`conversations`, subject.conversationId]
  // Held until the row that refers to it is written.
  const rows = await tx.execute(
    sql`select 1 from ${table} where id = ${id}::uuid and business_id = ${businessId}::uuid for key share`,
  )
  if (rows.length === 0) return none
  return 'callId' in subject ? { ...none, callId: id } : { ...none, conversationId: id }
}

/** @throws AppError `model_budget_used_up` */
async function refuseBeyondBudget(tx: Executor, businessId: string, subject: Subject, estimate: ModelCharge) {
  const settings = await getModelSettings({ db: tx, businessId })
  const month = await monthToDate(tx, businessId)
  const refuse = (what: string) => {
    throw new AppError('rate_limited', 'model_budget_used_up', `The budget for models is used up: ${what}.`)
  }
  const tokens = estimate.inputTokens + estimate.outputTokens
  if (estimate.costMicros === null) {
    if (month.unpricedTokens + month.reservedTokens + tokens > settings.monthlyUnpricedTokens)
      refuse('the tokens a month of models without a known price')
  } else if (month.costMicros + month.reservedMicros + estimate.costMicros > settings.monthlyMicros)
    refuse('the amount a month')
  if (subject.conversationId === null) return
  const [used] = await tx.execute<{ requests: number; tokens: number }>(sql`
    select
      coalesce(sum(requests) filter (where hour > now() - interval '1 hour'), 0)::int as requests,
      coalesce(sum(input + output), 0)::float8 as tokens
    from ${modelSubjectUses}
    where conversation_id = ${subject.conversationId}::uuid and hour > now() - interval '24 hours'`)
  if (!used) return
  if (used.requests >= settings.conversationHourlyRequests) refuse('the requests an hour of this conversation')
  if (used.tokens + tokens > settings.conversationDailyTokens) refuse('the tokens a day of this conversation')
}

type Reserved = { id: string; businessId: string; purpose: ModelPurpose; subject: Subject }

async function settle(db: Database, reserved: Reserved, charges: readonly ModelCharge[]): Promise<void> {
  await db.transaction(async (tx) => {
    // One that expired was charged already.
    const open = await tx
      .delete(modelReservations)
      .where(and(eq(modelReservations.id, reserved.id), eq(modelReservations.businessId, reserved.businessId)))
      .returning({ id: modelReservations.id })
    if (open.length === 0) return
    for (const charge of charges) await addUse(tx, reserved, charge)
  })
}

async function chargeExpired(tx: Executor, businessId: string): Promise<void> {
  const expired = await tx
    .delete(modelReservations)
    .where(and(eq(modelReservations.businessId, businessId), lte(modelReservations.expiresAt, new Date())))
    .returning()
  for (const row of expired)
    await addUse(
      tx,
      { businessId, purpose: row.purpose, subject: { conversationId: row.conversationId, callId: row.callId } },
      {
        model: row.model,
        inputTokens: row.input,
        cachedTokens: 0,
        outputTokens: row.output,
        estimated: true,
        costMicros: row.costMicros,
      },
    )
}

async function addUse(tx: Executor, { businessId, purpose, subject }: Omit<Reserved, 'id'>, charge: ModelCharge) {
  const amounts = {
    requests: 1,
    estimated: charge.estimated ? 1 : 0,
    input: charge.inputTokens,
    cached: charge.cachedTokens,
    output: charge.outputTokens,
    costMicros: charge.costMicros ?? 0,
    unpriced: charge.costMicros === null ? charge.inputTokens + charge.outputTokens : 0,
  }
  const added = (table: typeof modelUses | typeof modelSubjectUses) => ({
    requests: sql`${table.requests} + excluded.requests`,
    estimated: sql`${table.estimated} + excluded.estimated`,
    input: sql`${table.input} + excluded.input`,
    cached: sql`${table.cached} + excluded.cached`,
    output: sql`${table.output} + excluded.output`,
    costMicros: sql`${table.costMicros} + excluded.cost_micros`,
    unpriced: sql`${table.unpriced} + excluded.unpriced`,
  })
  await tx
    .insert(modelUses)
    .values({
      businessId,
      day: sql`(now() at time zone (select timezone from businesses where id = ${businessId}::uuid))::date`,
      model: charge.model,
      purpose,
      ...amounts,
    })
    .onConflictDoUpdate({
      target: [modelUses.businessId, modelUses.day, modelUses.model, modelUses.purpose],
      set: added(modelUses),
    })
  if (subject.callId === null && subject.conversationId === null) return
  try {
    await tx.transaction(async (inner) => {
      await inner
        .insert(modelSubjectUses)
        .values({ businessId, ...subject, model: charge.model, hour: sql`date_trunc('hour', now())`, ...amounts })
        .onConflictDoUpdate({
          target: [
            subject.callId === null ? modelSubjectUses.conversationId : modelSubjectUses.callId,
            modelSubjectUses.hour,
            modelSubjectUses.model,
          ],
          set: added(modelSubjectUses),
        })
    })
  } catch (error) {
    // The conversation was erased while the model answered: the day's sum has it.
    if (!isOvertaken(error)) throw error
  }
}
