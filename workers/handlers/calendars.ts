import type { Deps } from '../../src/composition/deps.ts'
import { pushConnection, syncConnection } from '../../src/domain/calendars/index.ts'
import { within } from '../../src/domain/context.ts'
import type { JobHandlers } from '../../src/jobs/consumer.ts'

type CalendarJobs = Pick<JobHandlers<'crm'>, 'calendar.sync' | 'calendar.push'>

/** A round waits for one that runs, so that a notice that came during it is not lost. */
const WAIT_MS = 20_000

export function calendarHandlers({ ctx, calendars }: Pick<Deps, 'ctx' | 'calendars'>): CalendarJobs {
  return {
    'calendar.sync': async ({ businessId, connectionId }) => {
      await syncConnection(within(ctx, businessId), connectionId, calendars, { waitMs: WAIT_MS, ifDue: true })
    },
    'calendar.push': async ({ businessId, connectionId }) => {
      await pushConnection(within(ctx, businessId), connectionId, calendars)
    },
  }
}
