export const today = {
  title: 'What is waiting for you',
  nothing: 'All done. Nothing is waiting.',
  voicemails: 'Voicemails',
  unread: 'Unread messages',
  newLeads: 'New leads',
  failed: 'Messages that failed',
  missed: 'Calls the agent did not answer',
  accounts: 'WhatsApp accounts not linked',
  appointments: 'Appointments today',
  noAppointments: 'No appointments today.',
  overnight: 'In the last 24 hours',
  calls: '{count, plural, one {one call} two {# calls} other {# calls}}',
} as const
