import { and, eq } from 'drizzle-orm'
import { calls } from '../../../db/schema/index.ts'
import { AppError, isErased } from '../../lib/errors.ts'
import { attestationOf, callerPhone } from '../calls/index.ts'
import type { BusinessContext } from '../context.ts'
import { countCallMessages, requestMessage, type SendSettings } from '../messages/index.ts'
import { getProfile } from './content.ts'
import { linksIn } from './links.ts'
import { numbersIn } from './numbers.ts'

/** Sends the follow-up, once a call; returns whether one was asked for. @throws AppError `person_erased` */
export async function sendFollowUp(
  ctx: BusinessContext,
  call: { callSid: string; from: string; name: string | null; businessName: string; language: 'he' | 'en' },
  settings: SendSettings,
): Promise<boolean> {
  const template = (await getProfile(ctx)).settings.followUp[call.language]?.trim()
  const to = template ? await callerPhone(ctx.db, ctx, call) : null
  if (!template || !to) return false
  if (!(await mayWriteTo(ctx, call.callSid, to))) return false
  // Without a name what leads up to it goes too: "Thank you, {name}!" becomes "Thank you!".
  const name = nameToWrite(call.name)
  const named = name ? template.replaceAll('{name}', () => name) : template.replace(/,?\s*\{name\}/g, '').trim()
  const text = named.replaceAll('{business}', () => call.businessName)
  try {
    await requestMessage(ctx, { to, text, idempotencyKey: `follow-up-${call.callSid}` }, settings, call.callSid)
    return true
  } catch (error) {
    // No sender, a blocked business, a text that changed since it was sent: trying again changes nothing.
    if (isErased(error) || !(error instanceof AppError)) throw error
    ctx.log.warn({ callSid: call.callSid, code: error.code }, 'the message after a call was not sent')
    return false
  }
}

/** A caller says any name: one with a link or a phone number would be sent to whoever has the caller's number. */
function nameToWrite(name: string | null): string | null {
  return name && linksIn(name).length === 0 && numbersIn(name).length === 0 ? name : null
}

/** A number that the caller's carrier claims and that was found not to be theirs belongs to another person. */
async function mayWriteTo(ctx: BusinessContext, callSid: string, phone: string): Promise<boolean> {
  const [call] = await ctx.db
    .select({ stirVerstat: calls.stirVerstat })
    .from(calls)
    .where(and(eq(calls.callSid, callSid), eq(calls.businessId, ctx.businessId)))
  if (attestationOf(call?.stirVerstat) !== 'failed') return true
  return (await countCallMessages(ctx, { callSid, phone })).wroteBefore
}
