import { callsRouter } from './calls.ts'
import { contactsRouter } from './contacts.ts'
import { leadsRouter } from './leads.ts'
import { messagesRouter } from './messages.ts'
import { paymentsRouter } from './payments.ts'
import { router } from './trpc.ts'

export const appRouter = router({
  calls: callsRouter,
  messages: messagesRouter,
  contacts: contactsRouter,
  leads: leadsRouter,
  payments: paymentsRouter,
})

/** The API's type: all that a client needs to know of the server. */
export type AppRouter = typeof appRouter
