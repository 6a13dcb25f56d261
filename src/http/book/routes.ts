import { type Context, Hono } from 'hono'
import { z } from 'zod'
import {
  type AppointmentRow,
  bookSlot,
  cancelByCustomer,
  canStillChange,
  endOf,
  findBookingPage,
  fullDates,
  isOffer,
  lastDate,
  listServices,
  moveByCustomer,
  offerMoves,
  offerSlots,
  readAppointmentRow,
  readCalendar,
  readSlot,
  requestDeposit,
  sayUntil,
  sayWhen,
  takeOffer,
} from '../../domain/appointments/index.ts'
import { type BusinessContext, within } from '../../domain/context.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { wallClock } from '../../lib/local-time.ts'
import { WindowCounter } from '../../lib/window-counter.ts'
import { cleanForm, parseForm, readText } from '../form-body.ts'
import { sendPage } from '../html-page.tsx'
import { languageOf } from '../page-language.ts'
import {
  againOf,
  type BookDeps,
  choiceOf,
  DAYS,
  dateText,
  form,
  formError,
  heading,
  MAX_FORM_BYTES,
  missing,
  nameOf,
  neighbours,
  type Offered,
  type Open,
  phoneOf,
  query,
  reachable,
  type Who,
  whoOf,
} from './parts.ts'
import { type BookError, isBookError } from './texts.ts'
import { appointmentPage, cancelPage, formPage, offerPage, servicesPage, timesPage } from './view.tsx'
import { addWaitRoutes, createWaitingPages } from './waiting.ts'

const REFRESH_SECONDS = 15
/** What an address may ask for in ten minutes: behind one there may be all customers of a carrier. */
const REQUESTS = 1_000
/** What an address, and what all of them, may book of one business in ten minutes; a form that is refused is no booking. */
const BOOKINGS_OF_ONE = 20
const BOOKINGS = 300

/** The booking page of a business, and that of an appointment, which its link opens. No script, no account, no cookie. */
export function createBookPages(deps: BookDeps): Hono {
  const app = new Hono()
  const requests = new WindowCounter(600_000)
  app.use(async (c, next) => {
    const address = deps.addressOf(c.req.raw)
    if (requests.read(address).count >= REQUESTS) throw tooMany()
    requests.add(address)
    await next()
    c.header('Referrer-Policy', 'no-referrer')
  })
  app.route('/a', createOwnPages(deps))
  app.route('/w', createWaitingPages(deps))
  app.route('/', createSlugPages(deps))
  for (const kind of ['a', 'w'])
    app.get(`/${kind}/:id/:token/`, (c) => {
      const { id, token } = c.req.param() as { id: string; token: string }
      return c.redirect(
        `/book/${kind}/${encodeURIComponent(id)}/${encodeURIComponent(token)}${new URL(c.req.url).search}`,
        301,
      )
    })
  app.get('/:slug/', (c) =>
    c.redirect(`/book/${encodeURIComponent(c.req.param('slug'))}${new URL(c.req.url).search}`, 301),
  )
  return app
}

const tooMany = () =>
  new AppError('rate_limited', 'rate_limited', 'There were too many requests. Wait ten minutes, then try again.', {
    retryAfterSeconds: 600,
  })

async function services(c: Context, page: Open) {
  const choices = page.services.map((each) => choiceOf(page.language, each))
  return sendPage(c, servicesPage({ ...heading(page, page.here), here: page.here, services: choices }))
}

/** The business of a booking page; null where there is none that is open. */
async function openPage(ctx: BookDeps['ctx'], c: Context, now: Date): Promise<Open | null> {
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
  return {
    ...{ business, name, timeZone, language, oneLanguage, services, note: pageNote, here: `/book/${slug}` },
    phone: await phoneOf(business),
    ...{ today: wallClock(now, timeZone).date, last: lastDate(calendar, now) },
  }
}

/** Each writes to a number that anybody typed. @returns what admits one, or null, and then takes it from the count where it is not made */
function limitBookings({ addressOf }: BookDeps): (c: Context, page: Open) => (() => void) | null {
  const bookings = new WindowCounter(600_000)
  return (c, { business: { businessId } }) => {
    const ofOne = `${businessId} ${addressOf(c.req.raw)}`
    if (bookings.read(businessId).count >= BOOKINGS || bookings.read(ofOne).count >= BOOKINGS_OF_ONE) return null
    const count = (amount: number) => {
      for (const key of [businessId, ofOne]) bookings.add(key, amount)
    }
    count(1)
    return () => count(-1)
  }
}

function createSlugPages(deps: BookDeps): Hono {
  const { ctx, links, now = () => new Date() } = deps
  const app = new Hono()
  const admitBooking = limitBookings(deps)
  const open = (c: Context) => openPage(ctx, c, now())

  app.get('/:slug', async (c) => {
    const page = await open(c)
    if (!page) return missing(c)
    const asked = query.parse(c.req.query())
    if (!asked.service) return await services(c, page)
    const service = page.services.find(({ id }) => id === asked.service)
    if (!service) return missing(c)
    return asked.slot
      ? await ask(c, page, service, asked.slot, whoOf({}), null)
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
    const parsed = form.extend({ slot: z.string(), key: z.uuid() }).safeParse(fields)
    const again = (error: BookError, status: AppError['status'] = 400) =>
      ask(c, page, service, fields.slot ?? '', whoOf(fields), { error, status }, z.uuid().safeParse(fields.key).data)
    if (!parsed.success) return await again(formError(parsed.error))
    if (page.note === 'required' && !parsed.data.note) return await again('note_missing')
    const notBooked = admitBooking(c, page)
    if (!notBooked) return await again('rate_limited', 429)
    try {
      const { note, key, ...chosen } = parsed.data
      const kept = { note: page.note === 'off' ? null : note || null, language: page.language }
      const request = { ...chosen, ...kept, source: 'page' as const, requestKey: `page:${key}` }
      const row = await bookSlot(business, request, now())
      return c.redirect(`${links.urlOf(row.id)}?lang=${page.language}`, 303)
    } catch (error) {
      notBooked()
      if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
      if (error.code === 'already_booked') return await again('already_booked', error.status)
      const from = wallClock(error.nextTimes?.[0] ?? slot.startsAt, page.timeZone).date
      return await times(c, page, service, from, isBookError(error.code) ? error.code : 'other', error.status)
    }
  })

  addWaitRoutes(app, deps, { open, times, admit: admitBooking })

  async function times(
    c: Context,
    page: Open,
    service: Offered,
    asked: string | undefined,
    error: BookError | null,
    status: AppError['status'] | 200 = 200,
  ) {
    const { language } = page
    const from = reachable(asked, page)
    const days = { from, days: DAYS }
    const offers = await offerSlots(page.business, { serviceId: service.id }, days, now())
    const full = await fullDates(page.business, service.id, days, now())
    const base = `${page.here}?service=${service.id}&lang=${language}`
    return sendPage(
      c,
      timesPage({
        ...{ ...heading(page, `${page.here}?service=${service.id}`), error, title: nameOf(language, service) },
        ...{ times: offers, dateText: (date: string) => dateText(language, date, page.today), action: null },
        linkTo: (slot) => `${base}&slot=${slot}`,
        ...neighbours(base, from, page),
        moving: null,
        wait: full.length > 0 ? `${page.here}/wait?service=${service.id}&lang=${language}&from=${from}` : null,
      }),
      { status },
    )
  }

  async function ask(
    c: Context,
    page: Open,
    service: Offered,
    handle: string,
    values: Who,
    refused: { error: BookError; status: AppError['status'] } | null,
    key: string = newId(),
  ) {
    const slot = await offeredSlot(page.business, handle)
    if (slot?.serviceId !== service.id) return await times(c, page, service, undefined, 'slot_unknown', 400)
    const { language } = page
    const base = `${page.here}?service=${service.id}`
    // The form that the back button shows is the same one, with its key: sent again it is the same appointment.
    if (!refused) c.header('Cache-Control', 'private, no-cache')
    return sendPage(
      c,
      formPage({
        ...{ ...heading(page, `${base}&slot=${handle}`), error: refused?.error ?? null, slot: handle, key, values },
        action: `${page.here}?lang=${language}`,
        ...{
          choice: choiceOf(language, service),
          note: page.note,
          when: sayWhen(language, slot.startsAt, page.timeZone),
        },
        back: `${base}&lang=${language}&from=${wallClock(slot.startsAt, page.timeZone).date}`,
      }),
      { status: refused?.status ?? 200, formAction: false },
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
    if (!found) return missing(c)
    return isOpen(found.row) ? await moves(c, found, null) : await show(c, found)
  })
  app.post('/:id/:token/move', async (c) => {
    const found = await own(c)
    if (!found) return missing(c)
    const { slot = '' } = cleanForm(parseForm(await readText(c.req.raw, MAX_FORM_BYTES)))
    try {
      await moveByCustomer(found.business, found.row.id, slot, now())
    } catch (error) {
      if (!(error instanceof AppError) || error.kind === 'unavailable') throw error
      if (error.code === 'appointment_over') return await show(c, found, null, error.status)
      return await moves(c, found, isBookError(error.code) ? error.code : 'other', error)
    }
    return c.redirect(`${links.urlOf(found.row.id)}?lang=${found.language}`, 303)
  })
  app.get('/:id/:token/cancel', async (c) => {
    const found = await own(c)
    if (!found) return missing(c)
    const { row, language, here, title } = found
    const when = sayWhen(language, row.startsAt, row.zone)
    if (!isOpen(row)) return await show(c, found)
    return sendPage(c, cancelPage({ ...heading(found, `${here}/cancel`), here, title, when }))
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
    const calendar = await readCalendar(ctx.db, business)
    const { name, settings } = calendar
    const language = languageOf(c, row.language ?? 'he')
    const service = (await listServices(business)).find(({ id: each }) => each === row.serviceId)
    return {
      ...{ business, row, name, language, here: new URL(links.urlOf(row.id)).pathname },
      reach: { today: wallClock(now(), row.zone).date, last: lastDate(calendar, now()) },
      title: service ? nameOf(language, service) : null,
      phone: await phoneOf(business),
      changeMinutes: settings.changeMinutes,
      again: againOf(settings, language),
    }
  }
  type Own = NonNullable<Awaited<ReturnType<typeof own>>>

  async function show(c: Context, found: Own, error: BookError | null = null, status: AppError['status'] | 200 = 200) {
    const { row, language, business, title, here } = found
    const until = row.heldUntil ? sayUntil(language, row.heldUntil, row.zone, now()) : ''
    if (row.state === 'held' && row.heldUntil && (await isOffer(business.db, business, row.id))) {
      const when = sayWhen(language, row.startsAt, row.zone)
      return sendPage(c, offerPage({ ...heading(found, here), error, here, title, when, until }), { status })
    }
    const url = row.state === 'held' ? await deposit(business, row) : null
    const shown = row.state === 'booked' || row.state === 'held' ? row.state : ((await endOf(business, row)) ?? 'over')
    const page = appointmentPage({
      // Paid in another window, it is booked.
      ...(url ? { refresh: { seconds: REFRESH_SECONDS, url: `${here}?lang=${language}` } } : {}),
      ...{ ...heading(found, here), error, here, title, again: found.again, canChange: canChange(found, now()) },
      ...{
        state: shown,
        when: sayWhen(language, row.startsAt, row.zone),
        deposit: url ? { url: `${url}?lang=${language}`, until } : null,
      },
    })
    return sendPage(c, page, { status })
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
    const { row, language, business, reach } = found
    const [next] = refused?.nextTimes ?? []
    const from = reachable(next ? wallClock(next, row.zone).date : query.parse(c.req.query()).from, reach)
    const times = await offerMoves(business, row, { from, days: DAYS }, now())
    const base = `${found.here}/move?lang=${language}`
    const page = timesPage({
      ...{ ...heading(found, `${found.here}/move`), error, title: found.title ?? '', times },
      moving: { when: sayWhen(language, row.startsAt, row.zone), back: `${found.here}?lang=${language}` },
      ...{ dateText: (date: string) => dateText(language, date, reach.today), linkTo: () => '', action: base },
      ...neighbours(base, from, reach),
      wait: null,
    })
    return sendPage(c, page, { status: refused?.status ?? 200 })
  }

  return app
}

/** A time that is only held is given up at any time. */
const canChange = ({ row, changeMinutes }: { row: AppointmentRow; changeMinutes: number }, now: Date) =>
  row.state === 'held' || canStillChange(row.startsAt, changeMinutes, now)

const isOpen = ({ state }: AppointmentRow) => state === 'booked' || state === 'held'

/** The time that a page offered; null for one that no page did. */
async function offeredSlot(business: BusinessContext, handle: string) {
  try {
    return await readSlot(business.db, business, handle)
  } catch (error) {
    if (error instanceof AppError && error.code === 'slot_unknown') return null
    throw error
  }
}
