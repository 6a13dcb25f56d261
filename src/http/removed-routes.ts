import { Hono } from 'hono'
import { AppError } from '../lib/errors.ts'

/** The routes of a payment provider that was removed answer 410 for every method. */
export function createRemovedRoutes(): Hono {
  const app = new Hono()
  for (const path of ['/api/stripe', '/api/stripe/*', '/webhook/stripe', '/webhook/stripe/*'])
    app.all(path, () => {
      throw new AppError(
        'gone',
        'stripe_removed',
        'Stripe is no longer supported. Use POST /api/payments, with PayPal or Tranzila.',
      )
    })
  return app
}
