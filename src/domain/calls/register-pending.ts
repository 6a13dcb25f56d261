import { eventKey, jobs } from '../../jobs/registry.ts'
import { type DomainContext, within } from '../context.ts'
import { findEvent } from '../inbox/index.ts'
import { registerCall } from './register-call.ts'

/**
 * Registers a call whose registration is accepted and not worked off yet, for an event that overtook it. Its own job finds it done.
 * @returns whether there was one
 */
export async function registerPending(ctx: DomainContext, callSid: string): Promise<boolean> {
  const payload = await findEvent(ctx, eventKey('call.register', callSid))
  if (payload === null) return false
  const { businessId, at, ...call } = jobs['call.register'].payload.parse(JSON.parse(payload))
  await registerCall(within(ctx, businessId), { ...call, at: new Date(at) })
  return true
}
