import { type Context, Hono } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { z } from 'zod'
import { appointmentOfPayment, type BookingLinks } from '../../domain/appointments/index.ts'
import type { DomainContext } from '../../domain/context.ts'
import {
  formatMoney,
  getPublicPayment,
  type PaymentDeps,
  type PublicPayment,
  startCheckout,
} from '../../domain/payments/index.ts'
import type { Inbox } from '../../jobs/inbox.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { cleanForm, parseForm, readText } from '../form-body.ts'
import { sendPage } from '../html-page.tsx'
import { settleSoon } from '../webhooks/payments.ts'
import type { PayLanguage } from './texts.ts'
import { missingPage, type PayView, payPage } from './view.tsx'

export type PayDeps = {
  ctx: DomainContext
  payments: PaymentDeps
  inbox: Pick<Inbox, 'accept'>
  /** Leads to the appointment whose deposit is paid. */
  appointments: Pick<BookingLinks, 'urlOf'>
}

const COOKIE = 'pay_lang'
const REFRESH_SECONDS = 2
/** How often the page reloads itself after the customer returned. */
const MAX_RELOADS = 15

const language = z.enum(['he', 'en']).optional().catch(undefined)
const query = z.object({
  lang: language,
  checking: z.coerce.number().int().min(1).max(MAX_RELOADS).optional().catch(undefined),
  canceled: z.literal('1').optional().catch(undefined),
  trouble: z.literal('1').optional().catch(undefined),
})
/** The providers add fields to the return address; only Tranzila's `index` is used. */
const returned = z.looseObject({
  index: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional()
    .catch(undefined),
})

export function createPayPages({ ctx, payments, inbox, appointments }: PayDeps): Hono {
  const app = new Hono()

  app.use(async (c, next) => {
    await next()
    c.header('Referrer-Policy', 'no-referrer')
  })

  app.get('/:id', async (c) => {
    const asked = query.parse(c.req.query())
    if (asked.lang) setCookie(c, COOKIE, asked.lang, { path: '/pay', sameSite: 'Lax', httpOnly: true })
    const payment = await find(c)
    if (!payment) return missing(c)
    const appointment = await appointmentOf(payment.id)
    return send(c, { ...viewOf(payment, asked), ...localize(c, payment, asked.lang), appointment })
  })

  app.post('/:id/checkout', async (c) => {
    const payment = await find(c)
    if (!payment) return missing(c)
    const { lang } = z.object({ lang: language }).parse(cleanForm(parseForm(await readText(c.req.raw))))
    try {
      const start = await startCheckout(ctx, payment.id, payments, lang ? { language: lang } : {})
      return c.redirect(start.kind === 'redirect' ? start.url : `/pay/${payment.id}`, 303)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      // The customer needs a page with a way to continue, not an error envelope.
      ctx.log.warn({ paymentId: payment.id, code: error.code, reason: errorMessage(error) }, 'checkout failed to start')
      const appointment = await appointmentOf(payment.id)
      return send(c, { ...viewOf(payment, { trouble: '1' }), ...localize(c, payment, lang), appointment }, error.status)
    }
  })

  // PayPal returns the customer with GET, Tranzila with a POST of its answer.
  app.on(['GET', 'POST'], '/:id/return', async (c) => {
    const payment = await find(c)
    if (!payment) return missing(c)
    const fields = c.req.method === 'POST' ? cleanForm(parseForm(await readText(c.req.raw))) : c.req.query()
    const { index } = returned.parse(fields)
    try {
      await settleSoon(inbox, {
        provider: payment.provider,
        paymentId: payment.id,
        transactionId: payment.provider === 'tranzila' ? (index ?? null) : null,
      })
    } catch (error) {
      // The provider's webhook and the sweep settle the payment as well.
      ctx.log.warn({ paymentId: payment.id, error: errorMessage(error) }, 'payment return not queued')
    }
    return c.redirect(`/pay/${payment.id}?checking=1`, 303)
  })

  app.on(['GET', 'POST'], '/:id/cancel', async (c) => {
    const payment = await find(c)
    return payment ? c.redirect(`/pay/${payment.id}?canceled=1`, 303) : missing(c)
  })

  async function appointmentOf(paymentId: string) {
    const found = await appointmentOfPayment(ctx, paymentId)
    return found ? { url: appointments.urlOf(found.id), isOver: found.isOver } : null
  }

  async function find(c: Context): Promise<PublicPayment | null> {
    const id = z.uuid().safeParse(c.req.param('id'))
    if (!id.success) return null
    try {
      return await getPublicPayment(ctx, id.data, payments)
    } catch (error) {
      if (error instanceof AppError && error.kind === 'not_found') return null
      throw error
    }
  }

  return app
}

function viewOf(
  payment: PublicPayment,
  asked: Partial<z.infer<typeof query>>,
): Pick<PayView, 'status' | 'notice' | 'refresh'> {
  const { status } = payment
  const reloads = asked.checking ?? 0
  // An earlier attempt may have failed while the present one is open.
  const undecided = (status === 'payable' || status === 'failed') && payment.attemptOpen
  if (reloads > 0 && undecided && reloads < MAX_RELOADS)
    return {
      status: 'checking',
      notice: null,
      refresh: { seconds: REFRESH_SECONDS, url: `/pay/${payment.id}?checking=${reloads + 1}` },
    }
  const open = status === 'payable' || status === 'failed'
  const notice = !open
    ? null
    : asked.trouble
      ? 'trouble'
      : asked.canceled
        ? 'canceled'
        : reloads > 0
          ? 'unconfirmed'
          : null
  return { status, notice: status === 'failed' && notice !== 'trouble' ? null : notice, refresh: null }
}

function localize(c: Context, payment: PublicPayment, asked: PayLanguage | undefined) {
  const chosen = asked ?? language.parse(getCookie(c, COOKIE)) ?? payment.business.language
  return {
    payment,
    language: chosen,
    money: formatMoney(chosen, payment.amount, payment.currency),
  }
}

function send(c: Context, view: PayView, status: AppError['status'] | 200 = 200) {
  return sendPage(c, payPage(view), { status, formAction: false })
}

function missing(c: Context) {
  const asked = language.parse(c.req.query('lang')) ?? language.parse(getCookie(c, COOKIE)) ?? 'he'
  return sendPage(c, missingPage(asked), { status: 404, formAction: false })
}
