export const today = {
  title: 'מה מחכה לכם',
  nothing: 'הכול טופל. שום דבר לא מחכה.',
  voicemails: 'הודעות קוליות',
  unread: 'הודעות שלא נקראו',
  newLeads: 'לידים חדשים',
  failed: 'הודעות שלא נשלחו',
  missed: 'שיחות שלא נענו על ידי הסוכן',
  accounts: 'חשבונות וואטסאפ לא מחוברים',
  appointments: 'פגישות היום',
  noAppointments: 'אין פגישות היום.',
  overnight: 'ביממה האחרונה',
  calls: '{count, plural, one {שיחה אחת} two {שתי שיחות} other {# שיחות}}',
} as const
