import { and, eq } from 'drizzle-orm'
import { businesses, phoneNumbers, whatsappAccounts } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { audit, type DomainContext, within } from '../context.ts'
import { lock } from '../locks.ts'
import { OLDEST_FIRST } from './oldest-first.ts'

/** Advisory lock of installation-wide seeding: any number that nothing else uses. */
const SEED_LOCK = 4_120_501

/** Makes the first business when there is none, so that calls are answered from the first start; returns its id. */
export async function ensureFirstBusiness(
  ctx: DomainContext,
  input: {
    name: string
    language: 'he' | 'en'
    demo?: { numbers: { he: string; en: string }; twilioSender: string; baileysPhone: string }
  },
): Promise<string> {
  return await ctx.db.transaction(async (tx) => {
    await lock(tx, SEED_LOCK)
    const [first] = await tx
      .select({ id: businesses.id })
      .from(businesses)
      .orderBy(...OLDEST_FIRST)
      .limit(1)
    const businessId = first?.id ?? newId()
    const bound = within(ctx, businessId)
    if (!first) {
      await tx.insert(businesses).values({ id: businessId, name: input.name, language: input.language })
      await audit(tx, bound, { action: 'business.create', entity: 'business', entityId: businessId })
    }
    if (input.demo) {
      const { he, en } = input.demo.numbers
      await tx
        .insert(phoneNumbers)
        .values([
          { businessId, e164: he, label: 'Hebrew line', language: 'he' },
          { businessId, e164: en, label: 'English line', language: 'en' },
        ])
        .onConflictDoNothing()
      for (const [provider, phone] of [
        ['twilio', input.demo.twilioSender],
        ['baileys', input.demo.baileysPhone],
      ] as const) {
        const [account] = await tx
          .select({ id: whatsappAccounts.id })
          .from(whatsappAccounts)
          .where(and(eq(whatsappAccounts.businessId, businessId), eq(whatsappAccounts.provider, provider)))
          .limit(1)
        if (account) continue
        await tx.insert(whatsappAccounts).values({
          businessId,
          provider,
          phone,
          state: provider === 'twilio' ? 'working' : 'stopped',
          linkedAt: new Date(),
        })
      }
    }
    return businessId
  })
}
