import { Hono } from 'hono'
import { AppError } from '../lib/errors.ts'

/** Addresses of a payment provider that was given up: whoever still calls them is told, whatever the method. */
export function createRemovedRoutes(): Hono {
  const app = new Hono()
  for (const path of ['/api/stripe', '/api/stripe/*', '/webhook/stripe', '/webhook/stripe/*'])
    app.all(path, () => {
      throw new AppError(
        'gone',
        'stripe_removed',
        'Stripe is no longer supported. Payments are made with POST /api/payments, through PayPal or Tranzila.',
      )
    })
  return app
}
