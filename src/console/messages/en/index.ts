import { account } from './account.ts'
import { agent } from './agent.ts'
import { alerts } from './alerts.ts'
import { audit } from './audit.ts'
import { booking } from './booking.ts'
import { calendar } from './calendar.ts'
import { calendars } from './calendars.ts'
import { call } from './call.ts'
import { catalogue } from './catalogue.ts'
import { commands } from './commands.ts'
import { composer } from './composer.ts'
import { contact } from './contact.ts'
import { entry } from './entry.ts'
import { health } from './health.ts'
import { hours } from './hours.ts'
import { inbox } from './inbox.ts'
import { keys } from './keys.ts'
import { knowledge } from './knowledge.ts'
import { lead } from './lead.ts'
import { live } from './live.ts'
import { message } from './message.ts'
import { models } from './models.ts'
import { money } from './money.ts'
import { nav } from './nav.ts'
import { privacy } from './privacy.ts'
import { providers } from './providers.ts'
import { push } from './push.ts'
import { receptionist } from './receptionist.ts'
import { settings } from './settings.ts'
import { setup } from './setup.ts'
import { sources } from './sources.ts'
import { state } from './state.ts'
import { stats } from './stats.ts'
import { today } from './today.ts'
import { usage } from './usage.ts'
import { webhooks } from './webhooks.ts'

export const messages = {
  account,
  agent,
  alerts,
  audit,
  booking,
  calendar,
  calendars,
  call,
  catalogue,
  commands,
  composer,
  contact,
  entry,
  health,
  hours,
  inbox,
  keys,
  knowledge,
  lead,
  live,
  message,
  models,
  money,
  nav,
  privacy,
  providers,
  push,
  receptionist,
  settings,
  setup,
  sources,
  state,
  stats,
  today,
  usage,
  webhooks,
} as const
