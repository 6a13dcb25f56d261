import { eq } from 'drizzle-orm'
import { z } from 'zod'
import { modelSettings } from '../../../db/schema/index.ts'
import { modelName, modelRefOf } from '../../lib/model-name.ts'
import { audit, type BusinessContext } from '../context.ts'

const dollars = z.number().min(0).max(10_000)
const price = z.strictObject({ input: dollars, cached: dollars, output: dollars })
const limit = (max: number) => z.int().min(0).max(max)

export const modelSettingsView = z.object({
  /** `provider:NAME`; null: the installation's. */
  model: modelName.nullable(),
  fallback: modelName.nullable(),
  /** Millionths of a dollar a month. */
  monthlyMicros: limit(100_000_000_000),
  /** Tokens a month of models whose price is not known. */
  monthlyUnpricedTokens: limit(1_000_000_000_000),
  /** Requests of one conversation in an hour. */
  conversationHourlyRequests: limit(10_000),
  /** Tokens of one conversation in 24 hours. */
  conversationDailyTokens: limit(1_000_000_000),
  /** Dollars a million tokens, by model, where they differ from the list. */
  prices: z.record(modelName, price).refine((prices) => Object.keys(prices).length <= 100, 'at most 100 prices'),
})
export type ModelSettings = z.output<typeof modelSettingsView>

export const modelSettingsChanges = modelSettingsView.partial()

export const DEFAULT_MODEL_SETTINGS: ModelSettings = {
  model: null,
  fallback: null,
  monthlyMicros: 30_000_000,
  monthlyUnpricedTokens: 20_000_000,
  conversationHourlyRequests: 60,
  conversationDailyTokens: 500_000,
  prices: {},
}

/** The models and limits of a business. */
export async function getModelSettings(ctx: Pick<BusinessContext, 'db' | 'businessId'>): Promise<ModelSettings> {
  const [row] = await ctx.db
    .select({
      model: modelSettings.model,
      fallback: modelSettings.fallback,
      monthlyMicros: modelSettings.monthlyMicros,
      monthlyUnpricedTokens: modelSettings.unpricedMonthly,
      conversationHourlyRequests: modelSettings.conversationHourly,
      conversationDailyTokens: modelSettings.conversationDaily,
      prices: modelSettings.prices,
    })
    .from(modelSettings)
    .where(eq(modelSettings.businessId, ctx.businessId))
  return row ?? DEFAULT_MODEL_SETTINGS
}

/** Changes what is given; the rest stays. */
export async function changeModelSettings(
  ctx: BusinessContext,
  changes: z.output<typeof modelSettingsChanges>,
): Promise<ModelSettings> {
  return await ctx.db.transaction(async (tx) => {
    const before = await getModelSettings({ ...ctx, db: tx })
    const after: ModelSettings = { ...before, ...withoutUndefined(changes) }
    const row = {
      model: after.model,
      fallback: after.fallback,
      monthlyMicros: after.monthlyMicros,
      unpricedMonthly: after.monthlyUnpricedTokens,
      conversationHourly: after.conversationHourlyRequests,
      conversationDaily: after.conversationDailyTokens,
      prices: after.prices,
    }
    await tx
      .insert(modelSettings)
      .values({ businessId: ctx.businessId, ...row })
      .onConflictDoUpdate({ target: modelSettings.businessId, set: { ...row, updatedAt: new Date() } })
    await audit(tx, ctx, {
      action: 'models.change',
      entity: 'business',
      entityId: ctx.businessId,
      data: { fields: Object.keys(withoutUndefined(changes)).sort() },
    })
    return after
  })
}

/** The names of the settings as references. */
export function modelChoiceOf({ model, fallback }: ModelSettings) {
  return { model: model ? modelRefOf(model) : null, fallback: fallback ? modelRefOf(fallback) : null }
}

function withoutUndefined<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
