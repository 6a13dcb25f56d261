import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { listStages } from '../leads/index.ts'

export type StageNames = {
  /** The key of a stage that a file names by key or by name; null where it names none. @throws AppError `unknown_stage` */
  keyOf(text: string | null): string | null
}

export async function createStageNames(ctx: BusinessContext): Promise<StageNames> {
  const stages = [...(await listStages(ctx, 'he')), ...(await listStages(ctx, 'en'))]
  const plain = (text: string) => text.normalize('NFKC').trim().toLowerCase()
  const keys = new Map(stages.flatMap(({ key, name }) => [[plain(name), key] as const, [key, key] as const]))
  return {
    keyOf(text) {
      if (text === null) return null
      const key = keys.get(plain(text))
      if (key) return key
      const names = [...new Set(stages.map(({ name }) => name))].join(', ')
      throw new AppError('invalid', 'unknown_stage', `There is no stage “${text}”. There are: ${names}.`, {
        field: 'stage',
      })
    },
  }
}
