import { type Context, Hono } from 'hono'
import { z } from 'zod'
import {
  type AppointmentRow,
  bookSlot,
  cancelByCustomer,
  findBookingPage,
  isOffer,
  listServices,
  moveByCustomer,
  offerMoves,
  offerSlots,
  readAppointmentRow,
  readCalendar,
  readSlot,
  requestDeposit,
  sayWhen,
  takeOffer,
} from '../../domain/appointments/index.ts'
import { type BusinessContext, within } from '../../domain/context.ts'
import { formatMoney } from '../../domain/payments/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { addDates, wallClock } from '../../lib/local-time.ts'
import { WindowCounter } from '../../lib/window-counter.ts'
import { cleanForm, parseForm, readText } from '../form-body.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import {
  type BookDeps,
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
import { appointmentPage, formPage, offerPage, servicesPage, timesPage } from './view.tsx'
import { addWaitRoutes, createWaitingPages } from './waiting.ts'

/** What an address may do in ten minutes: look, and change something. */
const LOOKS = 300
const CHANGES = 20
/** What all addresses may book of one business in ten minutes. */
const BOOKINGS = 300

/** The booking page of a business, and that of an appointment, which its link opens. No script, no account, no cookie. */
export function createBookPages(deps: BookDeps): Hono {
  const app = new Hono()
  const looks = new WindowCounter(600_000)
  const changes = new WindowCounter(600_000)
  app.use(async (c, next) => {
    const [counter, most] = c.req.method === 'POST' ? [changes, CHANGES] : [looks, LOOKS]
    const address = deps.addressOf(c.req.raw)
    if (counter.read(address).count >= most) throw tooMany()
    counter.add(address)
    await next()
    c.header('Referrer-Policy', 'no-referrer')
  })
  app.route('/a', createOwnPages(deps))
  app.route('/w', createWaitingPages(deps))
  app.route('/', createSlugPages(deps))
  return app
}

const tooMany = () =>
  new AppError('rate_limited', 'rate_limited', 'There were too many requests. Wait ten minutes, then try again.', {
    retryAfterSeconds: 600,
  })

async function services(c: Context, page: Open) {
  const money = (amount: number | null) => (amount === null ? null : formatMoney(page.language, amount, 'ILS'))
  const choices = page.services.map((each) => ({
    ...{ id: each.id, name: nameOf(page.language, each), minutes: each.minutes },
    ...{ price: money(each.price), deposit: money(each.deposit) },
  }))
  return sendPage(c, servicesPage({ ...heading(page, page.here), here: page.here, services: choices }))
}

/** The business of a booking page; null where there is none that is open. */
async function openPage(ctx: BookDeps['ctx'], c: Context): Promise<Open | null> {
  // Phones begin a word with a capital.
  const slug = (c.req.param('slug') ?? '').toLowerCase()
  const found = /^[a-z0-9-]{3,60}$/.test(slug) ? await findBookingPage(ctx.db, slug) : null
  if (!found) return null
  const business = within(ctx, found.businessId, { kind: 'system', id: 'booking page' })
  const calendar = await readCalendar(ctx.db, business)
  const services = (await listServices(business)).filter(({ online }) => online)
  const { name, timeZone } = calendar
  const { pageLanguage, pageNote } = calendar.settings
  const oneLanguage = pageLanguage !== 'both'
  const language = pageLanguage === 'both' ? languageOf(c, calendar.language) : pageLanguage
  return { business, name, timeZone, language, oneLanguage, services, note: pageNote, here: `/book/${slug}` }
}

function createSlugPages(deps: BookDeps): Hono {
  const { ctx, links, now = () => new Date() } = deps
  const app = new Hono()
  const bookings = new WindowCounter(600_000)
  const open = (c: Context) => openPage(ctx, c)

  app.get('/:slug', async (c) => {
    const page = await open(c)
    if (!page) return missing(c)
    const asked = query.parse(c.req.query())
    if (!asked.service) return await services(c, page)
    const service = page.services.find(({ id }) => id === asked.service)
    if (!service) return missing(c)
    return asked.slot
      ? await ask(c, page, service, asked.slot, { name: '', phone: '', note: '' }, null)
      : await times(c, page, service, asked.from, null)
  })

  app.post('/:slug', async (c) => {
    const page = await open(c)
    if (!page) return missing(c)
    const fields = cleanForm(parseForm(await readText(c.req.raw, MAX_FORM_BYTES)))
    const { business } = page
    const slot = await offeredSlot(business, fields.slot ?? '')
    const service = page.services.find(({ id }) => id === slot?.serviceId)
    if (!slot || !service) return missing(c)
    const parsed = form.safeParse(fields)
    const { name = '', phone = '', note = '' } = fields
    if (!parsed.success) return await ask(c, page, service, fields.slot ?? '', { name, phone, note }, 'invalid_form')
    if (page.note === 'required' && !parsed.data.note)
      return await ask(c, page, service, fields.slot ?? '', { name, phone, note }, 'note_missing')
    countBooking(page)
    try {
      const row = await bookSlot(
        business,
        {
          ...{ slot: parsed.data.slot, source: 'page' as const, requestKey: `page:${parsed.data.key}` },
          ...{ phone: parsed.data.phone, name: parsed.data.name },
          note: page.note === 'off' ? null : parsed.data.note || null,
          language: page.language,
        },
        now(),
      )
      return c.redirect(`${links.urlOf(row.id)}?lang=${page.language}`, 303)
    } catch (error) {
      if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
      const from = wallClock(error.nextTimes?.[0] ?? slot.startsAt, page.timeZone).date
      return await times(c, page, service, from, isBookError(error.code) ? error.code : 'other', error.status)
    }
  })

  addWaitRoutes(app, deps, { open, times, count: countBooking })

  function countBooking({ business }: Open): void {
    if (bookings.read(business.businessId).count >= BOOKINGS) throw tooMany()
    bookings.add(business.businessId)
  }

  async function times(
    c: Context,
    page: Open,
    service: Offered,
    asked: string | undefined,
    error: BookError | null,
    status: AppError['status'] | 200 = 200,
  ) {
    const { language } = page
    const today = wallClock(now(), page.timeZone).date
    const from = asked && asked > today ? asked : today
    const offers = await offerSlots(page.business, { serviceId: service.id }, { from, days: DAYS }, now())
    const base = `${page.here}?service=${service.id}&lang=${language}`
    return sendPage(
      c,
      timesPage({
        ...{ ...heading(page, `${page.here}?service=${service.id}`), error, title: nameOf(language, service) },
        ...{ times: offers, dateText: (date: string) => dateText(language, date), action: null },
        linkTo: (slot) => `${base}&slot=${slot}`,
        earlier: from > today ? `${base}&from=${addDates(from, -DAYS)}` : null,
        later: `${base}&from=${addDates(from, DAYS)}`,
        wait: `${page.here}/wait?service=${service.id}&lang=${language}&from=${from}`,
      }),
      { status },
    )
  }

  async function ask(
    c: Context,
    page: Open,
    service: Offered,
    handle: string,
    values: { name: string; phone: string; note: string },
    error: BookError | null,
  ) {
    const slot = await offeredSlot(page.business, handle)
    if (slot?.serviceId !== service.id) return await times(c, page, service, undefined, 'slot_unknown', 400)
    const { language } = page
    const base = `${page.here}?service=${service.id}`
    return sendPage(
      c,
      formPage({
        ...{ ...heading(page, `${base}&slot=${handle}`), error, slot: handle, key: newId(), values },
        action: `${page.here}?lang=${language}`,
        ...{ title: nameOf(language, service), note: page.note, when: sayWhen(language, slot.startsAt, page.timeZone) },
        back: `${base}&lang=${language}&from=${wallClock(slot.startsAt, page.timeZone).date}`,
      }),
      { status: error ? 400 : 200, formAction: false },
    )
  }

  return app
}

/** The page of an appointment, behind its link. */
function createOwnPages({ ctx, payments, links, now = () => new Date() }: BookDeps): Hono {
  const app = new Hono()

  app.get('/:id/:token', async (c) => {
    const found = await own(c)
    return found ? await show(c, found) : missing(c)
  })
  app.get('/:id/:token/move', async (c) => {
    const found = await own(c)
    return found ? await moves(c, found, null) : missing(c)
  })
  app.post('/:id/:token/move', async (c) => {
    const found = await own(c)
    if (!found) return missing(c)
    const { slot = '' } = cleanForm(parseForm(await readText(c.req.raw, MAX_FORM_BYTES)))
    try {
      await moveByCustomer(found.business, found.row.id, slot, now())
    } catch (error) {
      if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
      return await moves(c, found, isBookError(error.code) ? error.code : 'other', error)
    }
    return c.redirect(`${links.urlOf(found.row.id)}?lang=${found.language}`, 303)
  })
  app.post('/:id/:token/cancel', (c) => change(c, (business, id) => cancelByCustomer(business, id, now())))
  app.post('/:id/:token/take', (c) => change(c, (business, id) => takeOffer(business, id, now())))

  async function change(c: Context, act: (business: BusinessContext, id: string) => Promise<unknown>) {
    const found = await own(c)
    if (!found) return missing(c)
    try {
      await act(found.business, found.row.id)
    } catch (error) {
      if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
      return await show(c, found, isBookError(error.code) ? error.code : 'other', error.status)
    }
    return c.redirect(`${links.urlOf(found.row.id)}?lang=${found.language}`, 303)
  }

  /** The appointment of a link; its token is what allows to see it. */
  async function own(c: Context) {
    const id = z.uuid().safeParse(c.req.param('id'))
    if (!id.success || !links.verify(id.data, c.req.param('token') ?? '')) return null
    const row = await readAppointmentRow(ctx, id.data)
    if (!row) return null
    const business = within(ctx, row.businessId, { kind: 'system', id: 'booking page' })
    const { name, settings } = await readCalendar(ctx.db, business)
    const language = languageOf(c, row.language ?? 'he')
    const service = (await listServices(business)).find(({ id: each }) => each === row.serviceId)
    return {
      ...{ business, row, name, language, here: new URL(links.urlOf(row.id)).pathname },
      title: service ? nameOf(language, service) : null,
      again: settings.pageEnabled && settings.slug ? `/book/${settings.slug}?lang=${language}` : null,
    }
  }
  type Own = NonNullable<Awaited<ReturnType<typeof own>>>

  async function show(c: Context, found: Own, error: BookError | null = null, status: AppError['status'] | 200 = 200) {
    const { row, language, business, title, here } = found
    const until = row.heldUntil ? sayUntil(language, row.heldUntil, row.zone) : ''
    if (row.state === 'held' && row.heldUntil && (await isOffer(business.db, business, row.id))) {
      const when = sayWhen(language, row.startsAt, row.zone)
      return sendPage(c, offerPage({ ...heading(found, here), error, here, title, when, until }), { status })
    }
    const url = row.state === 'held' ? await deposit(business, row) : null
    const shown = row.state === 'booked' || row.state === 'held' || row.state === 'cancelled' ? row.state : 'over'
    const page = appointmentPage({
      ...{ ...heading(found, here), error, here, title, again: found.again },
      ...{
        state: shown,
        when: sayWhen(language, row.startsAt, row.zone),
        deposit: url ? { url: `${url}?lang=${language}`, until } : null,
      },
    })
    return sendPage(c, page, { status })
  }

  /** The time alone, where that is today. */
  function sayUntil(language: BookLanguage, at: Date, zone: string): string {
    const { date, time } = wallClock(at, zone)
    return date === wallClock(now(), zone).date ? time : sayWhen(language, at, zone)
  }

  async function deposit(business: BusinessContext, row: AppointmentRow): Promise<string | null> {
    try {
      return await requestDeposit(business, row, payments)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      ctx.log.warn({ appointmentId: row.id, code: error.code }, 'deposit not requested')
      return null
    }
  }

  async function moves(c: Context, found: Own, error: BookError | null, refused?: AppError) {
    const { row, language, business } = found
    const [next] = refused?.nextTimes ?? []
    const asked = next ? wallClock(next, row.zone).date : query.parse(c.req.query()).from
    const today = wallClock(now(), row.zone).date
    const from = asked && asked > today ? asked : today
    const times = await offerMoves(business, row, { from, days: DAYS }, now())
    const base = `${found.here}/move?lang=${language}`
    const page = timesPage({
      ...{ ...heading(found, `${found.here}/move`), error, title: sayWhen(language, row.startsAt, row.zone), times },
      ...{ dateText: (date: string) => dateText(language, date), linkTo: () => '', action: base },
      earlier: from > today ? `${base}&from=${addDates(from, -DAYS)}` : null,
      later: `${base}&from=${addDates(from, DAYS)}`,
    })
    return sendPage(c, page, { status: refused?.status ?? 200 })
  }

  return app
}

/** The time that a page offered; null for one that no page did. */
async function offeredSlot(business: BusinessContext, handle: string) {
  try {
    return await readSlot(business.db, business, handle)
  } catch (error) {
    if (error instanceof AppError && error.code === 'slot_unknown') return null
    throw error
  }
}
