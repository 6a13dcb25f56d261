export const usage = {
  intro: 'כמה העסק השתמש. העלות היא של מנוע הדיבור, לפי הדיווח שלו; דמי טלפון ווואטסאפ הם של המפעיל.',
  month: 'חודש',
  calls: 'שיחות',
  minutes: 'דקות',
  messagesIn: 'הודעות שהתקבלו',
  messagesOut: 'הודעות שנשלחו',
  cost: 'מנוע הדיבור',
} as const
