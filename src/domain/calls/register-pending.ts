import { eventKey, jobs } from '../../jobs/registry.ts'
import { type DomainContext, within } from '../context.ts'
import { findEvent } from '../inbox/index.ts'
import { registerCall } from './register-call.ts'

/** Registers a call whose accepted registration was overtaken by another event; its own job then finds it done. */
export async function registerPending(ctx: DomainContext, callSid: string): Promise<boolean> {
  const payload = await findEvent(ctx, eventKey('call.register', callSid))
  if (payload === null) return false
  const { businessId, at, ...call } = jobs['call.register'].payload.parse(JSON.parse(payload))
  await registerCall(within(ctx, businessId), { ...call, at: new Date(at) })
  return true
}
