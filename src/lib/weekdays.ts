/** By number of the day, as `Date.getUTCDay` counts. */
export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

/** Sunday to Thursday, nine to five: what most Israeli offices keep, and a business that has set no hours. */
export const USUAL_WEEK: Partial<Record<(typeof WEEKDAYS)[number], [string, string][]>> = Object.fromEntries(
  WEEKDAYS.slice(0, 5).map((day) => [day, [['09:00', '17:00']]]),
)
