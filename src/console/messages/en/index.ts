import { calendar } from './calendar.ts'
import { call } from './call.ts'
import { contact } from './contact.ts'
import { entry } from './entry.ts'
import { inbox } from './inbox.ts'
import { lead } from './lead.ts'
import { message } from './message.ts'
import { money } from './money.ts'
import { nav } from './nav.ts'
import { receptionist } from './receptionist.ts'
import { settings } from './settings.ts'
import { state } from './state.ts'
import { today } from './today.ts'

export const messages = {
  calendar,
  call,
  contact,
  entry,
  inbox,
  lead,
  message,
  money,
  nav,
  receptionist,
  settings,
  state,
  today,
} as const
