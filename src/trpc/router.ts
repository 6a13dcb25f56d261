import { accountRouter } from './account.ts'
import { businessesRouter } from './businesses.ts'
import { callsRouter } from './calls.ts'
import { contactsRouter } from './contacts.ts'
import { conversationsRouter } from './conversations.ts'
import { keysRouter } from './keys.ts'
import { leadsRouter } from './leads.ts'
import { membersRouter } from './members.ts'
import { messagesRouter } from './messages.ts'
import { searchRouter } from './search.ts'
import { router } from './trpc.ts'

export const appRouter = router({
  account: accountRouter,
  businesses: businessesRouter,
  members: membersRouter,
  keys: keysRouter,
  calls: callsRouter,
  messages: messagesRouter,
  contacts: contactsRouter,
  conversations: conversationsRouter,
  leads: leadsRouter,
  search: searchRouter,
})

/** The API's type: all that a client needs to know of the server. */
export type AppRouter = typeof appRouter
