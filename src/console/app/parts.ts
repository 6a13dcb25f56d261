/** The steps of the setup, in order. */
export const SETUP_STEPS = ['business', 'hours', 'number', 'whatsapp', 'test'] as const
export type SetupStep = (typeof SETUP_STEPS)[number]
