import { z } from 'zod'
import { leads } from '../../../db/schema/index.ts'
import { requiredText } from '../../lib/text.ts'

/** Until 0.2.0 a lead's `inquiry` was called `wish`. Clients, jobs and stored rows may still use that name; 0.3.0 drops it. */
export const earlierChanges = {
  wish: requiredText(4_000).nullish().meta({ deprecated: true, description: 'The earlier name of `inquiry`.' }),
}

export const earlierColumns = { wish: leads.inquiry }

export const earlierView = {
  wish: z.string().nullable().meta({ deprecated: true, description: 'The earlier name of `inquiry`.' }),
}

export function withPresentNames<Fields extends { inquiry?: string | null | undefined }>(
  fields: Fields & { wish?: string | null | undefined },
): Omit<Fields, 'wish'> {
  const { wish, ...present } = fields
  return wish === undefined || present.inquiry !== undefined ? present : { ...present, inquiry: wish }
}

export function withEarlierNames<Fields extends { inquiry?: string | null | undefined }>(
  fields: Fields,
): Fields & { wish?: string | null } {
  return fields.inquiry === undefined ? fields : { ...fields, wish: fields.inquiry }
}

/** A field, an intake question or an import field by its present name. */
export function presentName(name: string): string {
  return name === 'wish' ? 'inquiry' : name
}
