import { callsRouter } from './calls.ts'
import { contactsRouter } from './contacts.ts'
import { leadsRouter } from './leads.ts'
import { messagesRouter } from './messages.ts'
import { appointmentsRouter, receptionistRouter } from './receptionist.ts'
import { router } from './trpc.ts'

export const appRouter = router({
  calls: callsRouter,
  messages: messagesRouter,
  contacts: contactsRouter,
  leads: leadsRouter,
  receptionist: receptionistRouter,
  appointments: appointmentsRouter,
})

/** The API's type: all that a client needs to know of the server. */
export type AppRouter = typeof appRouter
