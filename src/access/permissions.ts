import type { Requirement } from './require-access.ts'

const READ = { role: 'viewer', scope: 'read' } as const
const WORK = { role: 'agent', scope: 'write' } as const
/** Every member notifies their own devices. */
const OWN_DEVICE = { role: 'viewer', scope: 'write' } as const
const MANAGE = { role: 'manager', scope: 'admin' } as const
const OWN = { role: 'owner', scope: 'admin' } as const
const OPERATE = { role: 'owner', scope: 'admin', operator: true } as const

/** The permission of each procedure, for tRPC and REST alike. `router.ts` does not compile with a missing or extra entry. */
export const PERMISSIONS = {
  'account.me': READ,

  'members.list': READ,
  'members.get': READ,
  'members.invite': OWN,
  'members.invitations': OWN,
  'members.resendInvitation': OWN,
  'members.revokeInvitation': OWN,
  'members.requireSecondFactor': OWN,
  'members.setRole': OWN,
  'members.remove': OWN,

  'keys.list': MANAGE,
  'keys.create': OWN,
  'keys.revoke': OWN,

  'credentials.list': OWN,
  'credentials.set': OWN,
  'credentials.remove': OWN,

  'models.settings': MANAGE,
  'models.change': OWN,
  'models.test': OWN,
  'models.budget': MANAGE,
  'models.uses': MANAGE,
  'models.months': MANAGE,
  'models.ofConversation': MANAGE,
  'models.ofCall': MANAGE,

  'businesses.get': READ,
  'businesses.update': MANAGE,
  'businesses.numbers': READ,
  'businesses.addNumber': OPERATE,
  'businesses.carrierNumbers': OPERATE,
  'businesses.connectNumber': OPERATE,
  'businesses.removeNumber': OPERATE,
  'businesses.providers': READ,
  'businesses.list': OPERATE,
  'businesses.create': OPERATE,
  'businesses.block': OPERATE,
  'businesses.unblock': OPERATE,

  'calls.list': READ,
  'calls.get': READ,
  'calls.summary': READ,
  'calls.editSummary': WORK,
  'calls.audio': READ,
  'calls.moments': READ,
  'calls.stats': READ,
  'calls.replay': READ,
  'calls.live': READ,
  'calls.end': WORK,
  'calls.transfer': WORK,
  'calls.whisper': WORK,
  'calls.listen': MANAGE,

  'recordings.list': READ,
  'recordings.peaks': READ,
  'recordings.mark': WORK,

  'receptionist.get': READ,
  'receptionist.overnight': READ,
  'receptionist.version': READ,
  'receptionist.versions': READ,
  'receptionist.preview': READ,
  'receptionist.save': MANAGE,
  'receptionist.restore': MANAGE,
  'receptionist.draft': READ,
  'receptionist.saveDraft': MANAGE,
  'receptionist.discardDraft': MANAGE,
  'receptionist.rebaseDraft': MANAGE,
  'receptionist.publishDraft': MANAGE,
  'receptionist.forcePublish': OWN,
  'receptionist.testChat': MANAGE,
  'receptionist.previewAudio': MANAGE,
  'receptionist.testCall': MANAGE,
  'receptionist.texts': READ,
  'receptionist.saveText': MANAGE,
  'receptionist.removeText': MANAGE,

  'scenarios.list': READ,
  'scenarios.save': MANAGE,
  'scenarios.remove': MANAGE,
  'scenarios.require': OWN,
  'scenarios.run': MANAGE,
  'scenarios.runs': READ,

  'agent.state': READ,
  'agent.pause': WORK,
  'agent.resume': WORK,
  'agent.turnOff': WORK,
  'agent.answer': WORK,
  'agent.memory': READ,
  'agent.runs': READ,
  'agent.sendDraft': WORK,
  'agent.discardDraft': WORK,
  'agent.settings': READ,
  'agent.saveSettings': MANAGE,

  'knowledge.search': READ,
  'knowledge.gaps': READ,
  'knowledge.answerGap': MANAGE,
  'knowledge.dismissGap': MANAGE,
  'knowledgeSources.list': READ,
  'knowledgeSources.get': READ,
  'knowledgeSources.parts': READ,
  'knowledgeSources.pages': READ,
  'knowledgeSources.addFile': MANAGE,
  'knowledgeSources.addSite': MANAGE,
  'knowledgeSources.read': MANAGE,
  'knowledgeSources.stop': MANAGE,
  'knowledgeSources.remove': MANAGE,

  'catalogue.list': READ,
  'catalogue.get': READ,
  'catalogue.save': MANAGE,
  'catalogue.update': MANAGE,
  'catalogue.remove': MANAGE,
  'catalogue.importFile': MANAGE,

  'appointments.list': READ,
  'appointments.get': READ,
  'appointments.create': WORK,
  'appointments.book': WORK,
  'appointments.move': WORK,
  'appointments.restore': WORK,
  'appointments.update': WORK,
  'appointments.cancel': WORK,
  'appointments.confirm': WORK,
  'appointments.noShow': WORK,
  'waitingList.list': READ,
  'waitingList.add': WORK,
  'waitingList.cancel': WORK,
  'booking.slots': READ,
  'booking.services': READ,
  'booking.saveService': MANAGE,
  'booking.orderServices': MANAGE,
  'booking.archiveService': MANAGE,
  'booking.staff': READ,
  'booking.saveStaff': MANAGE,
  'booking.archiveStaff': MANAGE,
  'booking.absences': READ,
  'booking.addAbsence': MANAGE,
  'booking.removeAbsence': MANAGE,
  'booking.settings': READ,
  'booking.texts': READ,
  'booking.saveSettings': MANAGE,

  'calendars.list': READ,
  'calendars.get': READ,
  'calendars.vendors': READ,
  'calendars.connect': MANAGE,
  'calendars.update': MANAGE,
  'calendars.remove': MANAGE,
  'calendars.sync': WORK,
  'calendars.conflicts': READ,
  'calendars.decide': WORK,
  'calendars.feeds': MANAGE,
  'calendars.addFeed': MANAGE,
  'calendars.removeFeed': MANAGE,

  'messages.list': READ,
  'messages.get': READ,
  'messages.send': WORK,
  'messages.react': WORK,
  'messages.decide': WORK,
  'messages.templates': READ,
  'messages.handle': WORK,

  'contacts.list': READ,
  'contacts.get': READ,
  'contacts.create': WORK,
  'contacts.update': WORK,
  'contacts.merge': WORK,
  'contacts.tag': WORK,
  'contacts.tags': READ,
  'contacts.optOut': WORK,
  'contacts.repair': MANAGE,
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
  'whatsapp.get': READ,
  'whatsapp.create': MANAGE,
  'whatsapp.link': MANAGE,
  'whatsapp.confirm': MANAGE,
  'whatsapp.refuse': MANAGE,
  'whatsapp.restart': MANAGE,
  'whatsapp.logout': MANAGE,
  'whatsapp.remove': MANAGE,
  'whatsapp.update': MANAGE,

  'search.all': READ,

  'stats.calls': READ,
  'stats.leads': READ,
  'stats.messages': READ,
  'stats.usage': MANAGE,
  'stats.businesses': OPERATE,

  'audit.list': MANAGE,

  'events.list': READ,
  'events.stream': READ,

  'imports.preview': MANAGE,
  'imports.create': MANAGE,
  'imports.get': MANAGE,
  'imports.list': MANAGE,
  'imports.rejected': MANAGE,

  'exports.csv': MANAGE,

  'push.key': READ,
  'push.devices': READ,
  'push.subscribe': OWN_DEVICE,
  'push.change': OWN_DEVICE,
  'push.unsubscribe': OWN_DEVICE,
  'push.test': OWN_DEVICE,
  'push.settings': READ,
  'push.saveSettings': MANAGE,

  'alerts.kinds': READ,
  'alerts.list': READ,
  'alerts.get': READ,
  'alerts.take': OWN_DEVICE,
  'alerts.see': OWN_DEVICE,
  'alerts.deliveries': READ,
  'alerts.mine': READ,
  'alerts.saveMine': OWN_DEVICE,
  'alerts.sendCode': OWN_DEVICE,
  'alerts.confirmPhone': OWN_DEVICE,
  'alerts.test': OWN_DEVICE,
  'alerts.members': MANAGE,
  'alerts.saveMember': MANAGE,
  'alerts.channels': MANAGE,
  'alerts.addChannel': MANAGE,
  'alerts.changeChannel': MANAGE,
  'alerts.removeChannel': MANAGE,
  'alerts.testChannel': MANAGE,
  'alerts.escalation': READ,
  'alerts.saveEscalation': MANAGE,

  'privacy.retention': READ,
  'privacy.setRetention': OWN,
  'privacy.eraseContact': OWN,

  'quarantine.list': MANAGE,
  'quarantine.get': MANAGE,
  'quarantine.retry': MANAGE,
  'quarantine.retryAll': MANAGE,
  'quarantine.drop': MANAGE,

  'webhooks.list': MANAGE,
  'webhooks.create': OWN,
  'webhooks.update': OWN,
  'webhooks.remove': OWN,
  'webhooks.deliveries': MANAGE,
  'webhooks.replay': MANAGE,

  'system.processes': OPERATE,
  'system.doctor': OPERATE,
  'system.backup': OPERATE,
  'system.queues': OPERATE,
  'system.failedJobs': OPERATE,
  'system.retryJobs': OPERATE,
  'system.drainQueue': OPERATE,
  'system.watchQueues': OPERATE,
} as const satisfies Record<string, Requirement>

/** The permission that a procedure needs. Null, for a procedure without an entry, refuses every caller. */
export function permissionOf(procedure: string): Requirement | null {
  const table: Readonly<Record<string, Requirement>> = PERMISSIONS
  return Object.hasOwn(table, procedure) ? (table[procedure] ?? null) : null
}

export type Rule =
  /** Every caller; `because` is the reason. */
  | { access: 'public'; because: string }
  | {
      access: 'business'
      needs: Requirement
      /** A page fetches it by its address alone (`<img>`, `<audio>`, a link): `?business=` chooses as `x-business-id` does. */
      byAddress?: true
    }
  /** The same; each called procedure needs its own entry in `PERMISSIONS`. */
  | { access: 'procedures' }
  | { access: 'console'; operator: boolean }
  /** Operators, the bearer of METRICS_TOKEN, and this machine itself where it is not public. */
  | { access: 'operations' }

const open = (because: string): Rule => ({ access: 'public', because })
const business = (needs: Requirement): Rule => ({ access: 'business', needs })
const file = (needs: Requirement): Rule => ({ access: 'business', needs, byAddress: true })

const SIGNED = open('The carrier calls it; its signature is verified first.')
const PAGE = open('The customer pays here; the id in the link is the secret.')
const BOOK = open(
  'Customers book here; requests are limited by address, and an appointment is opened by its signed link.',
)
const SHELL = open('The console’s shell holds no data; what it shows it asks the API for.')
const LOGIN = open('The caller logs in here; attempts are limited by address and by account.')
const SESSION: Rule = { access: 'console', operator: false }
const REMOVED = open('Answers that the address was removed.')

/** Endpoints of the login service that are not served, because the product does not use them. */
export const CLOSED_LOGIN_ENDPOINTS: readonly string[] = [
  '/sign-in/social',
  '/callback/:id',
  '/sign-up/email',
  '/verify-password',
  '/verify-email',
  '/send-verification-email',
  '/change-email',
  '/update-session',
  '/delete-user',
  '/delete-user/callback',
  '/link-social',
  '/list-accounts',
  '/unlink-account',
  // Links to set a new password are our own: /admin/forgot, /admin/reset.
  '/request-password-reset',
  '/reset-password',
  '/reset-password/:token',
  '/refresh-token',
  '/get-access-token',
  '/account-info',
  '/two-factor/send-otp',
  '/two-factor/verify-otp',
  '/ok',
  '/error',
]

/** Each hand-written route by method and pattern; any but these, procedures' REST routes and `PREFIXES` answers 404. */
export const ROUTES: Readonly<Record<string, Rule>> = {
  'GET /': open('Answers the name of the product and its entry points.'),
  'GET /healthz': open('Load balancers call it; it answers that the process is alive.'),
  'GET /readyz': open('Load balancers call it; other callers get no details.'),
  'GET /version': open('Answers the product and its version; other callers get no build details.'),
  'GET /favicon.ico': open('Browsers request it; it is empty.'),
  'GET /metrics': { access: 'operations' },

  'POST /webhook/incoming_call': SIGNED,
  'GET /webhook/incoming_call_preview': open('Shows the TwiML with a token that is not valid.'),
  'POST /webhook/stream_status': open('Answers 204; only a signed form has an effect.'),
  'POST /webhook/stream_ended': open('Answers 204; only a signed form has an effect.'),
  'POST /webhook/dial_ended': SIGNED,
  'POST /webhook/whisper': SIGNED,
  'POST /webhook/call_status': SIGNED,
  'POST /webhook/recording_action': SIGNED,
  'POST /webhook/recording_status': SIGNED,
  'POST /webhook/alert_call': SIGNED,
  'POST /webhook/alert_key': SIGNED,
  'POST /webhook/alert_call_ended': SIGNED,
  'POST /webhook/sms': SIGNED,
  'POST /webhook/sms_status': SIGNED,
  'POST /webhook/notice_call': SIGNED,
  'POST /webhook/notice_key': SIGNED,
  'POST /webhook/notice_call_ended': SIGNED,
  'POST /webhook/whatsapp/twilio': SIGNED,
  'POST /webhook/whatsapp/status': SIGNED,
  'POST /webhook/whatsapp/baileys': open('The bridge calls it; the secret in X-BAILEYS-SECRET is verified first.'),
  'POST /webhook/telegram/:channel': open('Telegram calls it; the secret of the channel is compared first.'),
  'POST /webhook/paypal': open('PayPal calls it; its signature is verified first.'),
  'POST /webhook/tranzila': open('Tranzila signs nothing; the payment is looked up at Tranzila.'),
  'POST /webhook/calendars/google': open('Google calls it; the token of the channel is compared first.'),
  'POST /webhook/calendars/microsoft': open('Microsoft calls it; the secret of the subscription is compared first.'),
  'ALL /webhook/stripe': REMOVED,
  'ALL /webhook/stripe/*': REMOVED,
  'ALL /api/stripe': REMOVED,
  'ALL /api/stripe/*': REMOVED,

  'GET /unsubscribe/:token': open('The bearer of the link may stop alerts by mail; opening it changes nothing.'),
  'POST /unsubscribe/:token': open('Mail programs post here without a login; the token is the permission.'),
  'GET /prompts/:business/:language/:file': open('The carrier fetches and plays them; they hold no secret.'),
  'GET /calendars/oauth/:kind': file(PERMISSIONS['calendars.connect']),
  'GET /calendars/oauth/:kind/callback': open(
    'The vendor sends the browser here; the login that began it, the member and the permission are verified.',
  ),
  'GET /calendars/feed/:id/:file': open('Calendar programs read it; the address is the secret, and can be revoked.'),
  'GET /book/:slug': BOOK,
  'POST /book/:slug': BOOK,
  'GET /book/a/:id/:token': BOOK,
  'GET /book/a/:id/:token/move': BOOK,
  'POST /book/a/:id/:token/move': BOOK,
  'POST /book/a/:id/:token/cancel': BOOK,
  'POST /book/a/:id/:token/take': BOOK,
  'GET /book/:slug/wait': BOOK,
  'POST /book/:slug/wait': BOOK,
  'GET /book/w/:id/:token': BOOK,
  'POST /book/w/:id/:token/leave': BOOK,
  'GET /pay/:id': PAGE,
  'POST /pay/:id/checkout': PAGE,
  'GET /pay/:id/return': PAGE,
  'POST /pay/:id/return': PAGE,
  'GET /pay/:id/cancel': PAGE,
  'POST /pay/:id/cancel': PAGE,

  'POST /api/auth/sign-in/email': LOGIN,
  'POST /api/auth/two-factor/verify-totp': LOGIN,
  'POST /api/auth/two-factor/verify-backup-code': LOGIN,
  'GET /api/auth/get-session': open('Answers the session of the cookie, or null.'),
  'POST /api/auth/sign-out': open('Ends the session of the browser; without a session it does nothing.'),
  'POST /api/auth/change-password': SESSION,
  'POST /api/auth/update-user': SESSION,
  'GET /api/auth/list-sessions': SESSION,
  'POST /api/auth/revoke-session': SESSION,
  'POST /api/auth/revoke-sessions': SESSION,
  'POST /api/auth/revoke-other-sessions': SESSION,
  'POST /api/auth/two-factor/enable': SESSION,
  'POST /api/auth/two-factor/disable': SESSION,
  'POST /api/auth/two-factor/get-totp-uri': SESSION,
  'POST /api/auth/two-factor/generate-backup-codes': SESSION,
  'GET /console': SHELL,
  'GET /console/today': SHELL,
  'GET /console/inbox': SHELL,
  'GET /console/calls': SHELL,
  'GET /console/calls/:id': SHELL,
  'GET /console/live': SHELL,
  'GET /console/leads': SHELL,
  'GET /console/contacts': SHELL,
  'GET /console/calendar': SHELL,
  'GET /console/payments': SHELL,
  'GET /console/settings': SHELL,
  'GET /console/setup': SHELL,
  'GET /console/stats': SHELL,
  'GET /console/health': SHELL,
  'GET /console/assets/:file': open('Scripts, styles and fonts, the same for everybody.'),
  'GET /console/icon.svg': open('The icon of the console, the same for everybody.'),
  'GET /console/sw.js': open('The service worker of the console, the same for everybody.'),
  'GET /console/console.webmanifest': open('What a phone needs to install the console.'),
  'GET /admin/login': open('The page to log in with.'),
  'POST /admin/login': LOGIN,
  'GET /admin/invite/:token': open('The bearer of the link may read the invitation; opening it does not use it up.'),
  'POST /admin/invite/:token': LOGIN,
  'GET /admin/reset/:token': open('The bearer of the link may set a new password; opening it does not use it up.'),
  'POST /admin/reset/:token': LOGIN,
  'GET /admin/forgot': open('The page to ask for a link with.'),
  'POST /admin/forgot': LOGIN,
  'POST /admin/logout': open('Ends the session of the browser; without a session it does nothing.'),
  'GET /admin': SESSION,

  'ALL /trpc/*': { access: 'procedures' },
  'GET /api/openapi.json': business(READ),
  'GET /api/docs': business(READ),
  'GET /api/docs/docs.js': business(READ),

  'POST /api/whatsapp/send': business(PERMISSIONS['messages.send']),
  'GET /api/whatsapp/status/:id': business(PERMISSIONS['messages.get']),
  'GET /api/whatsapp/list': business(PERMISSIONS['messages.list']),
  'GET /api/whatsapp/status': business(PERMISSIONS['businesses.providers']),
  'POST /api/payments': business(PERMISSIONS['payments.request']),
  'GET /api/payments': business(PERMISSIONS['payments.list']),
  'GET /api/payments/:id': business(PERMISSIONS['payments.get']),
  'POST /api/payments/:id/refund': business(PERMISSIONS['payments.refund']),

  'GET /files/:token': open('Providers fetch what they send; the link is signed and holds for 30 days.'),
  'POST /api/v1/uploads': business(PERMISSIONS['messages.send']),
  'GET /api/v1/media/:id': file(PERMISSIONS['messages.get']),
  'GET /api/v1/media/:id/thumbnail': file(PERMISSIONS['messages.get']),
  'GET /api/v1/recordings/:id/audio': file(PERMISSIONS['calls.get']),
  'GET /api/v1/turns/:id/audio': file(PERMISSIONS['calls.get']),
  'GET /api/v1/calls/:id/audio': file(PERMISSIONS['calls.get']),
  'GET /api/v1/calls/:id/trace': file(PERMISSIONS['calls.get']),
  'GET /api/v1/exports/:file{.+\\.csv}': file(PERMISSIONS['exports.csv']),
}

/** Routes that a library registers: everything below a path has one rule. */
export const PREFIXES: Readonly<Record<string, Rule>> = {
  '/admin/queues': { access: 'console', operator: true },
}

export const SOCKETS: Readonly<Record<string, Rule>> = {
  '/ws/listen': open(
    'The first message is a token of `calls.listen`; its bearer’s role is checked while the socket is open.',
  ),
  '/ws/twilio-media': open('The carrier opens it; the token in `start` is verified, and a signature if there is one.'),
  '/ws/test-call': business(PERMISSIONS['receptionist.testCall']),
}
