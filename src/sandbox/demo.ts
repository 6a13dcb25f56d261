/** The sandbox's numbers by spoken language; no real subscriber has them. */
export const SANDBOX_NUMBERS = { he: '+97233760000', en: '+97233760001' } as const
