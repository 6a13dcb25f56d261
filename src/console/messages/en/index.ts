import { calendar } from './calendar.ts'
import { call } from './call.ts'
import { commands } from './commands.ts'
import { composer } from './composer.ts'
import { contact } from './contact.ts'
import { entry } from './entry.ts'
import { inbox } from './inbox.ts'
import { lead } from './lead.ts'
import { message } from './message.ts'
import { money } from './money.ts'
import { nav } from './nav.ts'
import { settings } from './settings.ts'
import { state } from './state.ts'
import { today } from './today.ts'

export const messages = {
  calendar,
  call,
  commands,
  composer,
  contact,
  entry,
  inbox,
  lead,
  message,
  money,
  nav,
  settings,
  state,
  today,
} as const
