import { type Context, Hono } from 'hono'
import { z } from 'zod'
import {
  cancelWaiting,
  fullDates,
  joinWaitingList,
  listServices,
  offerSlots,
  readAppointmentRow,
  readCalendar,
  readWaitingRow,
  sayUntil,
  sayWhen,
} from '../../domain/appointments/index.ts'
import { within } from '../../domain/context.ts'
import { AppError } from '../../lib/errors.ts'
import { addDates, startOfDate, wallClock } from '../../lib/local-time.ts'
import { cleanForm, parseForm, readText } from '../form-body.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import {
  againOf,
  type BookDeps,
  bookDate,
  DAYS,
  dateText,
  form,
  formError,
  heading,
  MAX_FORM_BYTES,
  missing,
  nameOf,
  type Offered,
  type Open,
  phoneOf,
  query,
  reachable,
  whoOf,
} from './parts.ts'
import { type BookError, type BookLanguage, isBookError } from './texts.ts'
import { waitingPage, waitPage } from './view.tsx'

const waitForm = form.pick({ name: true, phone: true })
/** One day, or any of those that the page showed. */
const dayOf = z.union([z.literal(''), bookDate]).catch('')

type SlugPages = {
  open(c: Context): Promise<Open | null>
  /** Admits a request that may write to a customer. @returns what takes it from the count again, where it is not made; null where there were too many */
  admit(c: Context, page: Open): (() => void) | null
  times(
    c: Context,
    page: Open,
    service: Offered,
    from: string,
    error: BookError | null,
    status?: AppError['status'],
  ): Promise<Response>
}

/** Joining the waiting list, from the page of a business on which nothing is free. */
export function addWaitRoutes(app: Hono, { links, now = () => new Date() }: BookDeps, pages: SlugPages): void {
  app.get('/:slug/wait', async (c) => {
    const page = await pages.open(c)
    const asked = query.parse(c.req.query())
    const service = page?.services.find(({ id }) => id === asked.service)
    if (!page || !service || !asked.from) return missing(c)
    return await waitFor(c, page, service, { from: asked.from, day: '', ...whoOf({}) }, null)
  })

  app.post('/:slug/wait', async (c) => {
    const page = await pages.open(c)
    if (!page) return missing(c)
    const fields = cleanForm(parseForm(await readText(c.req.raw, MAX_FORM_BYTES)))
    const parsed = waitForm.safeParse(fields)
    const service = page.services.find(({ id }) => id === fields.service)
    const from = bookDate.safeParse(fields.from)
    if (!service || !from.success) return missing(c)
    const values = { from: from.data, day: dayOf.parse(fields.day ?? ''), ...whoOf(fields) }
    if (!parsed.success) return await waitFor(c, page, service, values, formError(parsed.error), 400)
    if (values.day && !(await canWaitFor(page, service, values.day)))
      return await waitFor(c, page, service, { ...values, day: '' }, 'waiting_window', 400)
    const notJoined = pages.admit(c, page)
    if (!notJoined) return await waitFor(c, page, service, values, 'rate_limited', 429)
    try {
      const id = await joinWaitingList(
        page.business,
        {
          ...{ serviceId: service.id, phone: parsed.data.phone, name: parsed.data.name, language: page.language },
          ...windowOf(page, values),
        },
        now(),
      )
      return c.redirect(`${links.waitingUrlOf(id)}?lang=${page.language}`, 303)
    } catch (error) {
      notJoined()
      if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
      const code = isBookError(error.code) ? error.code : 'other'
      return error.code === 'times_free'
        ? await pages.times(c, page, service, from.data, code, error.status)
        : await waitFor(c, page, service, values, code, error.status)
    }
  })

  /** A day on which the service is given; where something is free, the list says so itself. */
  async function canWaitFor(page: Open, service: Offered, day: string): Promise<boolean> {
    if (reachable(day, page) !== day) return false
    const days = { from: day, days: 1 }
    const [full, free] = await Promise.all([
      fullDates(page.business, service.id, days, now()),
      offerSlots(page.business, { serviceId: service.id }, days, now()),
    ])
    return full.length + free.length > 0
  }

  async function waitFor(
    c: Context,
    page: Open,
    service: Offered,
    values: Values,
    error: BookError | null,
    status: AppError['status'] | 200 = 200,
  ) {
    const { language, today } = page
    const from = reachable(values.from, page)
    const days = { from, days: DAYS }
    const full = await fullDates(page.business, service.id, days, now())
    // There is something free, or the business is closed then: which of both, the page of the times shows.
    if (full.length === 0) return await pages.times(c, page, service, from, error)
    const free = await offerSlots(page.business, { serviceId: service.id }, days, now())
    const base = `${page.here}?service=${service.id}`
    return sendPage(
      c,
      waitPage({
        ...{ ...heading(page, `${page.here}/wait?service=${service.id}&from=${from}`), error, values, from },
        ...{ service: service.id, title: nameOf(language, service), action: `${page.here}/wait?lang=${language}` },
        ...{ day: values.day, anyDay: free.length === 0 },
        choices: full.map((date) => ({ date, text: dateText(language, date, today) })),
        days: daysText(language, [from, lastOf(from, page)], today),
        back: `${base}&lang=${language}&from=${from}`,
      }),
      { status, formAction: false },
    )
  }
}

type Values = { from: string; day: string; name: string; phone: string }

/** The last of the days that a page shows from one on. */
const lastOf = (from: string, page: Open) => reachable(addDates(from, DAYS - 1), page)

/** The chosen day, or those that a page shows. */
function windowOf(page: Open, { from, day }: Values) {
  const first = reachable(day || from, page)
  return {
    from: startOfDate(first, page.timeZone).toISOString(),
    to: startOfDate(addDates(day ? first : lastOf(first, page), 1), page.timeZone).toISOString(),
  }
}

/** Where someone sees that they wait, behind its link. */
export function createWaitingPages({ ctx, links, now = () => new Date() }: BookDeps): Hono {
  const app = new Hono()

  app.get('/:id/:token', async (c) => {
    const found = await own(c)
    if (!found) return missing(c)
    const { row, language, timeZone, here, again } = found
    const theirs = row.appointmentId ? await readAppointmentRow(ctx, row.appointmentId) : null
    // What ran out a moment ago is not closed yet.
    const isHeld = theirs?.state === 'held' && theirs.heldUntil !== null && theirs.heldUntil > now()
    const state = row.state === 'offered' && !isHeld ? 'waitingOver' : STATES[row.state]
    const appointment =
      theirs && (state === 'freed' || state === 'yours')
        ? {
            url: `${links.urlOf(theirs.id)}?lang=${language}`,
            when: sayWhen(language, theirs.startsAt, theirs.zone),
            until:
              state === 'freed' && theirs.heldUntil ? sayUntil(language, theirs.heldUntil, theirs.zone, now()) : null,
          }
        : null
    const dates = [row.fromAt, new Date(row.toAt.getTime() - 1)].map((at) => wallClock(at, timeZone).date)
    const days = daysText(language, dates, wallClock(now(), timeZone).date)
    const service = (await listServices(found.business)).find(({ id }) => id === row.serviceId)
    const title = service ? nameOf(language, service) : null
    return sendPage(c, waitingPage({ ...heading(found, here), here, state, title, days, appointment, again }))
  })
  app.post('/:id/:token/leave', async (c) => {
    const found = await own(c)
    if (!found) return missing(c)
    await cancelWaiting(found.business, found.row.id, now())
    return c.redirect(`${links.waitingUrlOf(found.row.id)}?lang=${found.language}`, 303)
  })

  async function own(c: Context) {
    const id = z.uuid().safeParse(c.req.param('id'))
    if (!id.success || !links.verifyWaiting(id.data, c.req.param('token') ?? '')) return null
    const row = await readWaitingRow(ctx, id.data)
    if (!row) return null
    const business = within(ctx, row.businessId, { kind: 'system', id: 'booking page' })
    const { name, timeZone, settings } = await readCalendar(ctx.db, business)
    const here = new URL(links.waitingUrlOf(row.id)).pathname
    const language = languageOf(c, row.language)
    const phone = await phoneOf(business)
    return { business, row, name, phone, timeZone, language, here, again: againOf(settings, language) }
  }

  return app
}

const STATES = {
  waiting: 'waiting',
  offered: 'freed',
  booked: 'yours',
  cancelled: 'waitingOver',
  expired: 'waitingOver',
} as const

const daysText = (language: BookLanguage, dates: string[], today: string) =>
  [...new Set(dates)].map((date) => dateText(language, date, today)).join(' – ')
