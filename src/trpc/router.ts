import type { AnyProcedure } from '@trpc/server'
import type { PERMISSIONS } from '../access/permissions.ts'
import { accountRouter } from './account.ts'
import { agentRouter } from './agent.ts'
import { alertsRouter } from './alerts.ts'
import { appointmentsRouter } from './appointments.ts'
import { auditRouter } from './audit.ts'
import { bookingRouter } from './booking.ts'
import { businessesRouter } from './businesses.ts'
import { calendarsRouter } from './calendars.ts'
import { callsRouter } from './calls.ts'
import { catalogueRouter } from './catalogue.ts'
import { contactsRouter } from './contacts.ts'
import { conversationsRouter } from './conversations.ts'
import { credentialsRouter } from './credentials.ts'
import { eventsRouter } from './events.ts'
import { exportsRouter } from './exports.ts'
import { importsRouter } from './imports.ts'
import { keysRouter } from './keys.ts'
import { knowledgeRouter } from './knowledge.ts'
import { knowledgeSourcesRouter } from './knowledge-sources.ts'
import { leadsRouter } from './leads.ts'
import { membersRouter } from './members.ts'
import { messagesRouter } from './messages.ts'
import { modelsRouter } from './models.ts'
import { paymentsRouter } from './payments.ts'
import { privacyRouter } from './privacy.ts'
import { pushRouter } from './push.ts'
import { quarantineRouter } from './quarantine.ts'
import { receptionistRouter } from './receptionist.ts'
import { recordingsRouter } from './recordings.ts'
import { scenariosRouter } from './scenarios.ts'
import { searchRouter } from './search.ts'
import { statsRouter } from './stats.ts'
import { systemRouter } from './system.ts'
import { router } from './trpc.ts'
import { waitingListRouter } from './waiting-list.ts'
import { webhooksRouter } from './webhooks.ts'
import { whatsappRouter } from './whatsapp.ts'

export const appRouter = router({
  account: accountRouter,
  businesses: businessesRouter,
  members: membersRouter,
  keys: keysRouter,
  credentials: credentialsRouter,
  calls: callsRouter,
  recordings: recordingsRouter,
  messages: messagesRouter,
  contacts: contactsRouter,
  conversations: conversationsRouter,
  leads: leadsRouter,
  whatsapp: whatsappRouter,
  receptionist: receptionistRouter,
  scenarios: scenariosRouter,
  agent: agentRouter,
  knowledge: knowledgeRouter,
  knowledgeSources: knowledgeSourcesRouter,
  catalogue: catalogueRouter,
  appointments: appointmentsRouter,
  booking: bookingRouter,
  calendars: calendarsRouter,
  search: searchRouter,
  stats: statsRouter,
  audit: auditRouter,
  webhooks: webhooksRouter,
  system: systemRouter,
  privacy: privacyRouter,
  push: pushRouter,
  alerts: alertsRouter,
  imports: importsRouter,
  exports: exportsRouter,
  events: eventsRouter,
  payments: paymentsRouter,
  waitingList: waitingListRouter,
  models: modelsRouter,
  quarantine: quarantineRouter,
})

export type AppRouter = typeof appRouter

type PathsOf<Record> = {
  [Name in keyof Record & string]: Record[Name] extends AnyProcedure ? Name : `${Name}.${PathsOf<Record[Name]>}`
}[keyof Record & string]

export type ProcedurePath = PathsOf<AppRouter['_def']['record']>

type Same<A, B> = [A] extends [B]
  ? [B] extends [A]
    ? true
    : { noProcedure: Exclude<B, A> }
  : { noEntry: Exclude<A, B> }

/**
 * Does not compile unless the permission table has an entry for every procedure and no other.
 * @public
 */
export const PERMISSIONS_ARE_COMPLETE: Same<ProcedurePath, keyof typeof PERMISSIONS> = true
