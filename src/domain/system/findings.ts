import { z } from 'zod'

export const findingView = z.object({
  check: z.string(),
  state: z.enum(['ok', 'warning', 'problem']),
  /** Stable, for words of another language: `found` and `advice` are English. */
  code: z.string(),
  found: z.string(),
  advice: z.string().nullable(),
})
export type Finding = z.infer<typeof findingView>
