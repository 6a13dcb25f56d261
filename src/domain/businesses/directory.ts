import { eq } from 'drizzle-orm'
import type { Database } from '../../../db/client.ts'
import { businesses, phoneNumbers, whatsappAccounts } from '../../../db/schema/index.ts'
import type { Logger } from '../../lib/log.ts'
import { canonicalPhone, isSamePhone } from '../../lib/phone.ts'
import { createPolling, type Polling } from '../polling-cache.ts'
import { OLDEST_FIRST } from './oldest-first.ts'

export type BusinessEntry = {
  id: string
  name: string
  language: 'he' | 'en'
  greeting: string | null
  timezone: string
  speechEngine: 'default' | 'openai-realtime' | 'embedded'
  blocked: boolean
}

export type NumberLookup =
  | { found: 'business'; business: BusinessEntry }
  /** No business claims the number, and there is not exactly one business to fall back on. */
  | { found: 'unclaimed' }
  /** The directory was never read: the database has been away since this process started. */
  | { found: 'unavailable' }

export type AccountEntry = {
  id: string
  businessId: string
  provider: 'twilio' | 'baileys'
  phone: string | null
}

/** Numbers and their businesses in memory, polled: calls are answered without a query, also while the database is away. */
export type BusinessDirectory = Polling & {
  /** The business that answers a number (E.164), as it speaks on that line. */
  lookup(called: string | null): NumberLookup
  business(id: string): BusinessEntry | null
  /** The WhatsApp account with this number (E.164) or id; null when no account has it. */
  account(provider: 'twilio' | 'baileys', key: string): AccountEntry | null
  entries(): BusinessEntry[]
  /** The id of the oldest business, whose owners run the installation. */
  first(): string | null
  lines(): BusinessEntry[]
}

export function createDirectory(db: Database, log: Logger, refreshMs = 3_000): BusinessDirectory {
  let byNumber: Map<string, BusinessEntry> | null = null
  let all: BusinessEntry[] = []
  let byId = new Map<string, BusinessEntry>()
  let accounts: AccountEntry[] = []

  async function read() {
    const senders = await db
      .select({
        id: whatsappAccounts.id,
        businessId: whatsappAccounts.businessId,
        provider: whatsappAccounts.provider,
        phone: whatsappAccounts.phone,
      })
      .from(whatsappAccounts)
    const rows = await db
      .select({
        id: businesses.id,
        name: businesses.name,
        language: businesses.language,
        greeting: businesses.greeting,
        timezone: businesses.timezone,
        speechEngine: businesses.speechEngine,
        blockedAt: businesses.blockedAt,
        number: phoneNumbers.e164,
        lineLanguage: phoneNumbers.language,
      })
      .from(businesses)
      .leftJoin(phoneNumbers, eq(phoneNumbers.businessId, businesses.id))
      .orderBy(...OLDEST_FIRST)
    const entries = new Map<string, BusinessEntry>()
    const numbers = new Map<string, BusinessEntry>()
    for (const { number, lineLanguage, blockedAt, ...row } of rows) {
      const entry = entries.get(row.id) ?? { ...row, blocked: blockedAt !== null }
      entries.set(row.id, entry)
      // A line in another language cannot be greeted with the business's own words.
      if (number)
        numbers.set(
          canonicalPhone(number),
          lineLanguage && lineLanguage !== entry.language
            ? { ...entry, language: lineLanguage, greeting: null }
            : entry,
        )
    }
    byNumber = numbers
    byId = entries
    all = [...entries.values()]
    accounts = senders
  }

  return {
    ...createPolling('business directory', read, log, refreshMs),
    lookup(called) {
      if (!byNumber) return { found: 'unavailable' }
      const only = all.length === 1 ? all[0] : undefined
      const business = (called ? byNumber.get(canonicalPhone(called)) : undefined) ?? only
      return business ? { found: 'business', business } : { found: 'unclaimed' }
    },
    business: (id) => byId.get(id) ?? null,
    account: (provider, key) =>
      accounts.find(
        (entry) =>
          entry.provider === provider && (entry.id === key || (entry.phone !== null && isSamePhone(entry.phone, key))),
      ) ?? null,
    entries: () => all,
    first: () => all[0]?.id ?? null,
    lines() {
      const spoken = new Map(all.map((entry) => [`${entry.id} ${entry.language}`, entry]))
      for (const entry of byNumber?.values() ?? []) spoken.set(`${entry.id} ${entry.language}`, entry)
      return [...spoken.values()]
    },
  }
}
