import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Logger } from '../../lib/log.ts'
import { type ConnectRule, resolveTarget } from '../carrier/webhook-client.ts'

export const SANDBOX_CALENDAR_CLIENT = { id: 'sandbox-calendar-client', secret: 'sandbox-calendar-secret' } as const
export type Vendor = 'google' | 'microsoft'

export const faultSchema = z.object({
  vendor: z.enum(['google', 'microsoft']),
  /** Part of `METHOD /path`. */
  on: z.string().default(''),
  /** Answered instead; nothing is done. */
  status: z.int().min(400).max(599).optional(),
  /** Google's `errors[0].reason`, Graph's `error.code`, OAuth's `error`. */
  reason: z.string().default(''),
  retryAfter: z.int().min(0).optional(),
  /** Milliseconds before the answer. */
  delayMs: z.int().min(0).max(60_000).default(0),
  /** Done, but the answer is a 502. */
  lost: z.boolean().default(false),
  times: z.int().min(1).default(1),
})
export type Fault = z.output<typeof faultSchema>

/** An event as its vendor writes it, with when it changed last. */
export type StoredEvent = {
  id: string
  calendarId: string
  body: Record<string, unknown>
  etag: string
  changed: number
  gone: boolean
}
export type StoredCalendar = { id: string; name: string; writable: boolean; primary: boolean }
export type StoredChannel = {
  id: string
  resource: string
  calendarId: string
  address: string
  secret: string
  expiresAt: number
}

const TOKEN_SECONDS = 3_600

/** One vendor's side: an account with calendars, its tokens and its channels. In memory. */
export class VendorState {
  readonly calendars: StoredCalendar[]
  readonly events = new Map<string, StoredEvent>()
  readonly channels = new Map<string, StoredChannel>()
  readonly codes = new Map<string, { challenge: string; redirectUri: string }>()
  readonly access = new Map<string, number>()
  readonly refresh = new Set<string>()
  readonly madeBy = new Map<string, string>()
  /** Of every request: `METHOD /path`. */
  readonly log: string[] = []
  faults: Fault[] = []
  notices: 'once' | 'lost' | 'doubled' = 'once'
  /** Sync tokens below are over. */
  oldest = 0
  /** Never 0, which is what a first round begins after. */
  #sequence = 1

  constructor(
    readonly vendor: Vendor,
    readonly settings: { rules: ConnectRule[]; logger: Logger },
  ) {
    const account = `dana@${vendor}.example`
    this.calendars = [
      { id: vendor === 'google' ? account : 'AAMkPrimary', name: account, writable: true, primary: true },
      { id: 'team', name: 'Team', writable: true, primary: false },
      { id: 'holidays', name: 'Holidays', writable: false, primary: false },
    ]
  }

  get account(): string {
    return `dana@${this.vendor}.example`
  }

  get sequence(): number {
    return this.#sequence
  }

  calendar(id: string): StoredCalendar | undefined {
    return this.calendars.find((each) => each.id === id || (id === 'primary' && each.primary))
  }

  /** Writes an event, as its owner or a program does, and notifies those who watch. */
  put(calendarId: string, id: string, body: Record<string, unknown>): StoredEvent {
    this.#sequence += 1
    const stored = { id, calendarId, body, etag: `"${this.#sequence}"`, changed: this.#sequence, gone: false }
    this.events.set(id, stored)
    this.#notify(calendarId)
    return stored
  }

  remove(id: string): boolean {
    const known = this.events.get(id)
    if (!known || known.gone) return false
    this.#sequence += 1
    this.events.set(id, { ...known, gone: true, changed: this.#sequence, etag: `"${this.#sequence}"` })
    this.#notify(known.calendarId)
    return true
  }

  changedSince(calendarId: string, since: number): StoredEvent[] {
    return [...this.events.values()]
      .filter((each) => each.calendarId === calendarId && each.changed > since)
      .sort((a, b) => a.changed - b.changed)
  }

  newTokens(): { access: string; refresh: string } {
    const tokens = { access: `at-${randomBytes(18).toString('hex')}`, refresh: `rt-${randomBytes(18).toString('hex')}` }
    this.access.set(tokens.access, Date.now() + TOKEN_SECONDS * 1_000)
    this.refresh.add(tokens.refresh)
    return tokens
  }

  /** What the owner does at the vendor: the product's access is over. */
  revoke(): void {
    this.access.clear()
    this.refresh.clear()
  }

  strike(request: string): Fault | null {
    const fault = this.faults.find((each) => each.times > 0 && request.includes(each.on))
    if (!fault) return null
    fault.times -= 1
    return fault
  }

  #notify(calendarId: string): void {
    if (this.notices === 'lost') return
    for (const channel of this.channels.values()) {
      if (channel.calendarId !== calendarId || channel.expiresAt < Date.now()) continue
      for (let time = 0; time < (this.notices === 'doubled' ? 2 : 1); time += 1) void this.send(channel, 'exists')
    }
  }

  /** A notice, as the vendor posts it. Never throws: a vendor repeats or drops it. */
  async send(channel: StoredChannel, state: string): Promise<number | null> {
    const google = {
      'x-goog-channel-id': channel.id,
      'x-goog-channel-token': channel.secret,
      'x-goog-resource-id': channel.resource,
      'x-goog-resource-state': state,
    }
    const notice = {
      subscriptionId: channel.id,
      clientState: channel.secret,
      changeType: 'updated',
      resource: channel.resource,
    }
    const isGoogle = this.vendor === 'google'
    try {
      const answer = await fetch(resolveTarget(channel.address, this.settings.rules), {
        method: 'POST',
        headers: isGoogle ? google : { 'content-type': 'application/json' },
        ...(isGoogle ? {} : { body: JSON.stringify({ value: [notice] }) }),
        signal: AbortSignal.timeout(10_000),
      })
      return answer.status
    } catch (error) {
      this.settings.logger.debug({ error, vendor: this.vendor }, 'notice not delivered')
      return null
    }
  }
}

/** JSON objects of requests; anything else is refused by the vendors. */
export const jsonObject = z.record(z.string(), z.unknown())

export function answerFault(fault: Fault, vendor: Vendor, isToken: boolean): Response {
  const status = fault.status ?? 502
  const headers: Record<string, string> =
    fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) }
  if (isToken) return Response.json({ error: fault.reason || 'invalid_grant' }, { status, headers })
  return vendor === 'google' ? googleError(status, fault.reason, headers) : graphError(status, fault.reason, headers)
}

export function googleError(status: number, reason: string, headers: Record<string, string> = {}): Response {
  const error = { code: status, message: reason, errors: [{ domain: 'global', reason, message: reason }] }
  return Response.json({ error }, { status, headers })
}

export function graphError(status: number, code: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error: { code, message: code } }, { status, headers })
}
