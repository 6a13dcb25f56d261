import { and, asc, eq, gte, lt, sql } from 'drizzle-orm'
import { z } from 'zod'
import { businesses, calls, callTurns, contacts, leads, recordings } from '../../../db/schema/index.ts'
import { maskCardsInText } from '../../lib/card-numbers.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { earlierColumns, presentName } from '../leads/index.ts'
import { pageInput, pageQuery, timeFilter, toPage } from '../paging.ts'
import { callOutcome, outcomeSql } from './call-outcome.ts'

export const callFilters = pageInput.extend({
  contactId: z.uuid().optional(),
  state: z.enum(calls.state.enumValues).optional(),
  outcome: callOutcome.optional(),
  hour: z.coerce.number().int().min(0).max(23).optional(),
  since: timeFilter.optional(),
  until: timeFilter.optional(),
  tests: z
    .union([z.boolean(), z.enum(['true', 'false'])])
    .transform((value) => value === true || value === 'true')
    .default(false),
})

const view = {
  id: calls.id,
  callSid: calls.callSid,
  contactId: calls.contactId,
  contactName: contacts.name,
  direction: calls.direction,
  from: calls.fromNumber,
  to: calls.toNumber,
  answeredBy: calls.answeredBy,
  state: calls.state,
  endReason: calls.endReason,
  endDetail: calls.endDetail,
  fallback: calls.fallback,
  streamError: calls.streamError,
  carrierStatus: calls.carrierStatus,
  carrierSeconds: calls.carrierSeconds,
  durationMs: calls.durationMs,
  stirVerstat: calls.stirVerstat,
  metrics: calls.metrics,
  isTest: calls.isTest,
  startedAt: calls.startedAt,
  endedAt: calls.endedAt,
}

export async function listCalls(ctx: BusinessContext, input: z.input<typeof callFilters>) {
  const page = callFilters.parse(input)
  const query = pageQuery(
    calls.id,
    page,
    eq(calls.businessId, ctx.businessId),
    page.contactId ? eq(calls.contactId, page.contactId) : undefined,
    page.state ? eq(calls.state, page.state) : undefined,
    page.outcome ? eq(outcomeSql, page.outcome) : undefined,
    page.hour === undefined
      ? undefined
      : sql`extract(hour from ${calls.startedAt} at time zone ${zoneOf(ctx)}) = ${page.hour}`,
    page.since ? gte(calls.startedAt, new Date(page.since)) : undefined,
    page.until ? lt(calls.startedAt, new Date(page.until)) : undefined,
    eq(calls.isTest, page.tests),
  )
  const rows = await ctx.db
    .select(view)
    .from(calls)
    .leftJoin(contacts, eq(contacts.id, calls.contactId))
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows, page.limit)
}

function zoneOf({ businessId }: BusinessContext) {
  return sql`(select ${businesses.timezone} from ${businesses} where ${businesses.id} = ${businessId})`
}

/** A call with turns, recordings and lead, by our id or the call SID. @throws AppError `call_not_found` */
export async function getCall(ctx: BusinessContext, key: string) {
  const [found] = await ctx.db
    .select({ ...view, recordKey: calls.recordKey })
    .from(calls)
    .leftJoin(contacts, eq(contacts.id, calls.contactId))
    .where(
      and(
        z.uuid().safeParse(key).success ? eq(calls.id, key) : eq(calls.callSid, key),
        eq(calls.businessId, ctx.businessId),
      ),
    )
  if (!found) throw new AppError('not_found', 'call_not_found', 'There is no such call.')
  const { recordKey, ...call } = found
  const [turns, files, lead] = await Promise.all([
    readTurns(ctx, call.id),
    readRecordings(ctx, call.id),
    readLead(ctx, call.id),
  ])
  return {
    ...call,
    hasRecord: recordKey !== null,
    turns,
    recordings: files,
    lead,
  }
}

async function readTurns(ctx: BusinessContext, callId: string) {
  const rows = await ctx.db
    .select({
      id: callTurns.id,
      index: callTurns.index,
      role: callTurns.role,
      text: callTurns.text,
      transcript: callTurns.transcript,
      question: callTurns.question,
      startMs: callTurns.startMs,
      endMs: callTurns.endMs,
      heardMs: callTurns.heardMs,
      interrupted: callTurns.interrupted,
      audioKey: callTurns.audioKey,
    })
    .from(callTurns)
    .where(and(eq(callTurns.callId, callId), eq(callTurns.businessId, ctx.businessId)))
    .orderBy(asc(callTurns.index))
  return rows.map(({ audioKey, question, ...turn }) => ({
    ...turn,
    text: turn.text === null ? null : maskCardsInText(turn.text),
    question: question === null ? null : presentName(question),
    hasAudio: audioKey !== null,
  }))
}

async function readRecordings(ctx: BusinessContext, callId: string) {
  return await ctx.db
    .select({
      id: recordings.id,
      recordingSid: recordings.recordingSid,
      state: recordings.state,
      durationMs: recordings.durationMs,
      heardAt: recordings.heardAt,
      bytes: recordings.bytes,
      sha256: recordings.sha256,
      contentType: recordings.contentType,
      recordedAt: recordings.recordedAt,
    })
    .from(recordings)
    .where(and(eq(recordings.callId, callId), eq(recordings.businessId, ctx.businessId)))
    .orderBy(asc(recordings.id))
}

async function readLead(ctx: BusinessContext, callId: string) {
  const [lead] = await ctx.db
    .select({
      id: leads.id,
      contactId: leads.contactId,
      stage: leads.stage,
      source: leads.source,
      name: leads.name,
      inquiry: leads.inquiry,
      ...earlierColumns,
      callbackTime: leads.callbackTime,
    })
    .from(leads)
    .where(and(eq(leads.callId, callId), eq(leads.businessId, ctx.businessId)))
  return lead ?? null
}

/** Where the audio of a turn is stored. @throws AppError `audio_not_found` */
export async function getTurnAudio(ctx: BusinessContext, turnId: string): Promise<string> {
  const [row] = await ctx.db
    .select({ audioKey: callTurns.audioKey })
    .from(callTurns)
    .where(and(eq(callTurns.id, turnId), eq(callTurns.businessId, ctx.businessId)))
  if (!row?.audioKey) throw new AppError('not_found', 'audio_not_found', 'There is no audio of this turn.')
  return row.audioKey
}
