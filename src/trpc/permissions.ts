import type { Requirement } from '../http/access.ts'

const READ = { role: 'viewer', scope: 'read' } as const
const WORK = { role: 'agent', scope: 'write' } as const
const MANAGE = { role: 'manager', scope: 'admin' } as const
const OWN = { role: 'owner', scope: 'admin' } as const
const OPERATE = { role: 'owner', scope: 'admin', operator: true } as const

/** What each procedure asks for. One that is not here is refused to everybody. */
export const PERMISSIONS: Readonly<Record<string, Requirement>> = {
  'account.me': READ,

  'members.list': READ,
  'members.get': READ,
  'members.add': OWN,
  'members.setRole': OWN,
  'members.remove': OWN,

  'keys.list': MANAGE,
  'keys.create': OWN,
  'keys.revoke': OWN,

  'credentials.list': OWN,
  'credentials.set': OWN,
  'credentials.remove': OWN,

  'businesses.get': READ,
  'businesses.update': MANAGE,
  'businesses.numbers': READ,
  'businesses.addNumber': OPERATE,
  'businesses.removeNumber': OPERATE,
  'businesses.providers': READ,
  'businesses.all': OPERATE,
  'businesses.create': OPERATE,
  'businesses.block': OPERATE,
  'businesses.unblock': OPERATE,

  'calls.list': READ,
  'calls.get': READ,
  'calls.summary': READ,
  'calls.figures': READ,
  'calls.replay': READ,

  'receptionist.get': READ,
  'receptionist.version': READ,
  'receptionist.versions': READ,
  'receptionist.preview': READ,
  'receptionist.save': MANAGE,
  'receptionist.texts': READ,
  'receptionist.saveText': MANAGE,
  'receptionist.removeText': MANAGE,

  'appointments.list': READ,
  'appointments.confirm': WORK,
  'appointments.cancel': WORK,

  'messages.list': READ,
  'messages.get': READ,
  'messages.send': WORK,

  'contacts.list': READ,
  'contacts.get': READ,
  'contacts.create': WORK,
  'contacts.update': WORK,
  'contacts.merge': WORK,
  'contacts.tag': WORK,
  'contacts.tags': READ,
  'contacts.optOut': WORK,
  'contacts.notes': READ,
  'contacts.addNote': WORK,
  'contacts.editNote': WORK,
  'contacts.removeNote': WORK,

  'conversations.list': READ,
  'conversations.get': READ,
  'conversations.timeline': READ,
  'conversations.assign': WORK,
  'conversations.close': WORK,
  'conversations.reopen': WORK,
  'conversations.snooze': WORK,
  'conversations.mark': WORK,

  'leads.list': READ,
  'leads.get': READ,
  'leads.board': READ,
  'leads.column': READ,
  'leads.history': READ,
  'leads.create': WORK,
  'leads.update': WORK,
  'leads.move': WORK,
  'leads.remove': WORK,
  'leads.stages': READ,
  'leads.saveStages': MANAGE,

  'payments.list': READ,
  'payments.get': READ,
  'payments.request': WORK,
  'payments.refund': MANAGE,

  'whatsapp.list': READ,
  'whatsapp.status': READ,
  'whatsapp.create': MANAGE,
  'whatsapp.link': MANAGE,
  'whatsapp.restart': MANAGE,
  'whatsapp.logout': MANAGE,
  'whatsapp.delete': MANAGE,
  'whatsapp.settings': MANAGE,

  'search.all': READ,

  'events.list': READ,
  'events.stream': READ,

  'imports.preview': MANAGE,
  'imports.create': MANAGE,
  'imports.get': MANAGE,
  'imports.list': MANAGE,

  'exports.csv': MANAGE,

  'privacy.retention': READ,
  'privacy.setRetention': OWN,
  'privacy.eraseContact': OWN,

  'webhooks.list': MANAGE,
  'webhooks.create': OWN,
  'webhooks.update': OWN,
  'webhooks.remove': OWN,
  'webhooks.deliveries': MANAGE,
  'webhooks.replay': MANAGE,

  'system.processes': OPERATE,
  'system.queues': OPERATE,
  'system.failedJobs': OPERATE,
  'system.retryJobs': OPERATE,
  'system.drainQueue': OPERATE,
  'system.watchQueues': OPERATE,
}
