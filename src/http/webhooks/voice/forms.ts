import { z } from 'zod'
import type { Logger } from '../../../lib/log.ts'
import { readSideFields, type SideField, type SideFieldValues, text, wholeNumber } from './side-fields.ts'

/** Twilio's ids name jobs and files here, so their characters are checked. */
const callSid = z.string().regex(/^CA[0-9a-zA-Z]{1,62}$/, 'must be a CallSid')
const streamSid = z.string().regex(/^MZ[0-9a-zA-Z]{1,62}$/, 'must be a StreamSid')
const recordingSid = z.string().regex(/^RE[0-9a-zA-Z]{1,62}$/, 'must be a RecordingSid')

/** The fields that each webhook needs. Every other field is a side field, which never makes a webhook fail. */
export const callForm = z.object({ CallSid: callSid })
export const statusForm = z.object({ CallSid: callSid, CallStatus: z.string().trim().min(1) })
export const streamForm = z.object({ CallSid: callSid, StreamSid: streamSid, StreamEvent: z.string().trim().min(1) })
export const recordingForm = z.object({ CallSid: callSid, RecordingSid: recordingSid })

/** The database stores milliseconds in four bytes. */
const MAX_SECONDS = 2_147_483

const sideFields = {
  From: text(256),
  To: text(256),
  CallerName: text(256),
  ForwardedFrom: text(128),
  StirVerstat: text(64),
  CallStatus: text(32),
  DialCallStatus: text(32),
  CallDuration: wholeNumber(MAX_SECONDS),
  StreamEvent: text(64),
  StreamError: text(1_000),
  RecordingStatus: text(32),
  RecordingDuration: wholeNumber(MAX_SECONDS),
  RecordingChannels: wholeNumber(64),
} satisfies Record<string, SideField<unknown>>

export type SideFieldReader = (params: Record<string, string>) => SideFieldValues<typeof sideFields>

/** Reads side fields. Each unusable value is counted; its field is logged once, without the value. */
export function createSideFieldReader(deps: { count(event: 'voice_field_odd'): void; log: Logger }): SideFieldReader {
  const logged = new Set<string>()
  return (params) =>
    readSideFields(params, sideFields, (name) => {
      deps.count('voice_field_odd')
      if (logged.has(name)) return
      logged.add(name)
      deps.log.warn({ field: name }, 'carrier field cut or dropped')
    })
}
