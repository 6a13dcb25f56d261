import { z } from 'zod'

const amount = z.number().min(0).max(1e11)
const short = z.string().trim().min(1).max(100)

/** What a customer looks for. Amounts are in whole units of the currency, as people say them. */
export const catalogueQuery = z.strictObject({
  query: z.string().trim().min(1).max(200).optional().describe('What it should be, in the customer’s words.'),
  area: short.optional().describe('A city, a neighbourhood or a region.'),
  min_price: amount.optional(),
  max_price: amount.optional(),
  min_rooms: z.number().min(0).max(100).optional(),
  max_rooms: z.number().min(0).max(100).optional(),
  min_size: amount.optional(),
  max_size: amount.optional(),
  attributes: z
    .array(
      z.strictObject({ name: short, value: short.optional(), min: z.number().optional(), max: z.number().optional() }),
    )
    .max(5)
    .optional()
    .describe('Other things that it must have, such as floor, year or colour.'),
})
export type CatalogueQuery = z.output<typeof catalogueQuery>
