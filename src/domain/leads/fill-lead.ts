import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { leads } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'

type LeadAnswers = { name: string | null; inquiry: string | null; callbackTime: string | null }

const ofCall = (ctx: BusinessContext, callId: string) =>
  and(eq(leads.callId, callId), eq(leads.businessId, ctx.businessId))

/** Gives the lead of a call the call's contact: a lead can be saved before its call is registered. */
export async function setLeadContact(tx: Executor, ctx: BusinessContext, callId: string, contactId: string) {
  await tx
    .update(leads)
    .set({ contactId })
    .where(and(ofCall(ctx, callId), isNull(leads.contactId)))
}

/** Fills what the lead of a call lacks; what it has stays. */
export async function fillLead(db: Executor, ctx: BusinessContext, callId: string, answers: LeadAnswers) {
  await db
    .update(leads)
    .set({
      name: sql`coalesce(${leads.name}, ${answers.name})`,
      inquiry: sql`coalesce(${leads.inquiry}, ${answers.inquiry})`,
      callbackTime: sql`coalesce(${leads.callbackTime}, ${answers.callbackTime})`,
    })
    .where(ofCall(ctx, callId))
}

export async function dateLead(tx: Executor, ctx: BusinessContext, leadId: string, createdAt: SQL) {
  await tx
    .update(leads)
    .set({ createdAt })
    .where(and(eq(leads.id, leadId), eq(leads.businessId, ctx.businessId)))
}
