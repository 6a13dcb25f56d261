import { type Context, Hono } from 'hono'
import { z } from 'zod'
import {
  cancelWaiting,
  joinWaitingList,
  listServices,
  readCalendar,
  readWaitingRow,
} from '../../domain/appointments/index.ts'
import { within } from '../../domain/context.ts'
import { AppError } from '../../lib/errors.ts'
import { addDates, startOfDate, wallClock } from '../../lib/local-time.ts'
import { cleanForm, parseForm, readText } from '../form-body.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import {
  type BookDeps,
  bookDate,
  DAYS,
  dateText,
  form,
  heading,
  MAX_FORM_BYTES,
  missing,
  nameOf,
  type Offered,
  type Open,
  query,
} from './parts.ts'
import { type BookError, type BookLanguage, isBookError } from './texts.ts'
import { waitingPage, waitPage } from './view.tsx'

const waitForm = form.pick({ name: true, phone: true }).extend({ service: z.uuid(), from: bookDate })

type SlugPages = {
  open(c: Context): Promise<Open | null>
  /** Counts a request that may write to a customer. */
  count(page: Open): void
  times(
    c: Context,
    page: Open,
    service: Offered,
    from: string,
    error: BookError,
    status: AppError['status'],
  ): Promise<Response>
}

/** Joining the waiting list, from the page of a business on which nothing is free. */
export function addWaitRoutes(app: Hono, { links, now = () => new Date() }: BookDeps, pages: SlugPages): void {
  app.get('/:slug/wait', async (c) => {
    const page = await pages.open(c)
    const asked = query.parse(c.req.query())
    const service = page?.services.find(({ id }) => id === asked.service)
    if (!page || !service || !asked.from) return missing(c)
    return await waitFor(c, page, service, asked.from, { name: '', phone: '' }, null)
  })

  app.post('/:slug/wait', async (c) => {
    const page = await pages.open(c)
    if (!page) return missing(c)
    const fields = cleanForm(parseForm(await readText(c.req.raw, MAX_FORM_BYTES)))
    const parsed = waitForm.safeParse(fields)
    const service = page.services.find(({ id }) => id === fields.service)
    const from = bookDate.safeParse(fields.from)
    if (!service || !from.success) return missing(c)
    const { name = '', phone = '' } = fields
    if (!parsed.success) return await waitFor(c, page, service, from.data, { name, phone }, 'invalid_form', 400)
    pages.count(page)
    try {
      const id = await joinWaitingList(
        page.business,
        {
          ...{ serviceId: service.id, phone: parsed.data.phone, name: parsed.data.name, language: page.language },
          ...windowOf(page, from.data),
        },
        now(),
      )
      return c.redirect(`${links.waitingUrlOf(id)}?lang=${page.language}`, 303)
    } catch (error) {
      if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
      const code = isBookError(error.code) ? error.code : 'other'
      return error.code === 'times_free'
        ? await pages.times(c, page, service, from.data, code, error.status)
        : await waitFor(c, page, service, from.data, { name, phone }, code, error.status)
    }
  })
}

/** The days that a page shows. */
const windowOf = ({ timeZone }: Open, from: string) => ({
  from: startOfDate(from, timeZone).toISOString(),
  to: startOfDate(addDates(from, DAYS), timeZone).toISOString(),
})

async function waitFor(
  c: Context,
  page: Open,
  service: Offered,
  from: string,
  values: { name: string; phone: string },
  error: BookError | null,
  status: AppError['status'] | 200 = 200,
) {
  const { language } = page
  const base = `${page.here}?service=${service.id}`
  return sendPage(
    c,
    waitPage({
      ...{ ...heading(page, `${page.here}/wait?service=${service.id}&from=${from}`), error, values, from },
      ...{ service: service.id, title: nameOf(language, service), action: `${page.here}/wait?lang=${language}` },
      days: daysText(language, from, addDates(from, DAYS - 1)),
      back: `${base}&lang=${language}&from=${from}`,
    }),
    { status, formAction: false },
  )
}

/** Where someone sees that they wait, behind its link. */
export function createWaitingPages({ ctx, links, now = () => new Date() }: BookDeps): Hono {
  const app = new Hono()

  app.get('/:id/:token', async (c) => {
    const found = await own(c)
    if (!found) return missing(c)
    const { row, language, name, timeZone, here } = found
    const isOpen = row.state === 'waiting' || row.state === 'offered'
    const offer = row.state === 'offered' && row.appointmentId ? links.urlOf(row.appointmentId) : null
    const days = daysText(language, dateIn(row.fromAt, timeZone), dateIn(new Date(row.toAt.getTime() - 1), timeZone))
    const service = (await listServices(found.business)).find(({ id }) => id === row.serviceId)
    const title = service ? nameOf(language, service) : null
    return sendPage(c, waitingPage({ ...heading({ language, name }, here), here, isOpen, title, days, offer }))
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
    const { name, timeZone } = await readCalendar(ctx.db, business)
    const here = new URL(links.waitingUrlOf(row.id)).pathname
    return { business, row, name, timeZone, language: languageOf(c, row.language), here }
  }

  return app
}

const dateIn = (at: Date, timeZone: string) => wallClock(at, timeZone).date

const daysText = (language: BookLanguage, from: string, to: string) =>
  from === to ? dateText(language, from) : `${dateText(language, from)} – ${dateText(language, to)}`
