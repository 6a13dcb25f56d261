import { eq, inArray } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { agentSettings } from '../../../db/schema/index.ts'
import { PERSONAL_DATA, type PersonalData } from '../../lib/personal-data.ts'
import type { BusinessContext } from '../context.ts'

/** What a business has masked in what is kept of calls, and of what its agent did and knows. */
export const maskedKinds = z.array(z.enum(PERSONAL_DATA)).max(PERSONAL_DATA.length)
const setting = z.object({ masked: maskedKinds.default([]) })

export async function readMaskedKinds(db: Executor, ctx: BusinessContext): Promise<ReadonlySet<PersonalData>> {
  const [row] = await db
    .select({ settings: agentSettings.settings })
    .from(agentSettings)
    .where(eq(agentSettings.businessId, ctx.businessId))
  return new Set(setting.parse(row?.settings ?? {}).masked)
}

/** Of several businesses in one query. */
export async function readMaskedKindsOf(
  db: Executor,
  businessIds: readonly string[],
): Promise<(businessId: string) => ReadonlySet<PersonalData>> {
  const rows = await db
    .select({ businessId: agentSettings.businessId, settings: agentSettings.settings })
    .from(agentSettings)
    .where(inArray(agentSettings.businessId, [...new Set(businessIds)]))
  const found = new Map(rows.map(({ businessId, settings }) => [businessId, new Set(setting.parse(settings).masked)]))
  return (businessId) => found.get(businessId) ?? new Set()
}
