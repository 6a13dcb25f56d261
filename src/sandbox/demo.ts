/** The sandbox's own numbers, by what is spoken on them: nobody in the world has them. */
export const SANDBOX_NUMBERS = { he: '+97233760000', en: '+97233760001' } as const
