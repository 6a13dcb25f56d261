import { call } from './call.ts'
import { contact } from './contact.ts'
import { entry } from './entry.ts'
import { inbox } from './inbox.ts'
import { lead } from './lead.ts'
import { message } from './message.ts'
import { nav } from './nav.ts'
import { state } from './state.ts'
import { today } from './today.ts'

export const messages = { nav, state, today, inbox, message, call, lead, contact, entry } as const
