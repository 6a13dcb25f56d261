import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { calls } from '../../../db/schema/index.ts'

export const CALL_OUTCOMES = ['answered', 'voicemail', 'transferred', 'abandoned', 'failed', 'live'] as const
export const callOutcome = z.enum(CALL_OUTCOMES)

export const outcomeSql: SQL<(typeof CALL_OUTCOMES)[number]> = sql`case
  when ${calls.state} <> 'ended' then 'live'
  when ${calls.endReason} = 'transferred' then 'transferred'
  when ${calls.endReason} = 'abandoned' then 'abandoned'
  when ${calls.answeredBy} = 'voicemail' or ${calls.fallback} = 'voicemail' or ${calls.endReason} = 'voicemail_requested' then 'voicemail'
  when ${calls.endReason} in ('completed', 'caller_hung_up', 'silence', 'max_duration', 'ended_by_member') then 'answered'
  else 'failed' end`
