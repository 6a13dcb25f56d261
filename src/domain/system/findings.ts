import { z } from 'zod'

/** What an examination of the installation found. */
export const findingView = z.object({
  check: z.string(),
  state: z.enum(['ok', 'warning', 'problem']),
  found: z.string(),
  /** What to do about it. */
  advice: z.string().nullable(),
})
export type Finding = z.infer<typeof findingView>
