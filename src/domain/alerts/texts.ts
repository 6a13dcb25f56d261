import type { AlertKind } from './kinds.ts'

export type Language = 'he' | 'en'
export type AlertPurpose = 'alert' | 'escalation' | 'taken' | 'all_clear' | 'summary' | 'test'
type Facts = Record<string, string | number>

/** What each alert is called. */
export const TITLES: Record<Language, Record<AlertKind, string>> = {
  he: {
    missed_call: 'שיחה שלא נענתה',
    voicemail: 'הודעה קולית חדשה',
    lead: 'ליד חדש',
    urgent_message: 'הודעה דחופה',
    message: 'הודעה חדשה אליך',
    handover: 'לקוח ביקש לדבר עם אדם',
    appointment_made: 'פגישה חדשה',
    appointment_moved: 'פגישה הוזזה',
    appointment_cancelled: 'פגישה בוטלה',
    calendar_conflict: 'התנגשות ביומן',
    calendar_reconnect: 'צריך לחבר יומן מחדש',
    calendar_failing: 'יומן מחובר לא עובד',
    payment_made: 'תשלום התקבל',
    payment_failed: 'תשלום נכשל',
    deposit_late: 'מקדמה שולמה מאוחר מדי: יש להחזיר אותה',
    deposit_unavailable: 'אי אפשר לבקש מקדמה',
    whatsapp_down: 'הוואטסאפ מנותק',
    engine_failing: 'הקול של המענה נכשל',
    engine_credit: 'נגמר הכסף במנוע הקול',
    model_failing: 'מודל הטקסט נכשל',
    model_budget: 'תקציב המודלים מתקרב לסופו',
    silence: 'שקט חריג: דבר לא הגיע',
    way_failing: 'התראות לא מגיעות',
    queue_stuck: 'העבודה ברקע נתקעה',
    disk_filling: 'הדיסק מתמלא',
    backup_missing: 'אין גיבוי',
    misconfigured: 'משהו בהתקנה לא תקין',
  },
  en: {
    missed_call: 'Missed call',
    voicemail: 'New voicemail',
    lead: 'New lead',
    urgent_message: 'Urgent message',
    message: 'New message for you',
    handover: 'A customer asked for a person',
    appointment_made: 'New appointment',
    appointment_moved: 'Appointment moved',
    appointment_cancelled: 'Appointment cancelled',
    calendar_conflict: 'Conflict in the calendar',
    calendar_reconnect: 'A calendar must be connected again',
    calendar_failing: 'A connected calendar does not work',
    payment_made: 'Payment received',
    payment_failed: 'Payment failed',
    deposit_late: 'A deposit came too late: it is to be refunded',
    deposit_unavailable: 'A deposit could not be asked for',
    whatsapp_down: 'WhatsApp is disconnected',
    engine_failing: 'The voice engine fails',
    engine_credit: 'The voice engine is out of money',
    model_failing: 'The text model fails',
    model_budget: 'The budget for models is nearly used up',
    silence: 'Unusual silence: nothing comes in',
    way_failing: 'Alerts do not arrive',
    queue_stuck: 'Background work is stuck',
    disk_filling: 'The disk is filling up',
    backup_missing: 'There is no backup',
    misconfigured: 'Something is set up wrong',
  },
}

/** What is said of a condition beside its title. Facts are names and numbers. */
const CONDITIONS: Record<Language, Partial<Record<AlertKind, (facts: Facts) => string>>> = {
  he: {
    calendar_reconnect: () => 'החיבור ליומן פג. פגישות חדשות לא נבדקות מולו עד שמחברים שוב.',
    calendar_failing: ({ name, hours, unwritten }) =>
      unwritten
        ? `${name} לא מקבל פגישות (${unwritten}). מי שמסתכל שם רואה זמן פנוי.`
        : `${name} לא נקרא כבר ${hours} שעות. פגישות חדשות נבדקות מול מה שנקרא לפני כן.`,
    deposit_late: () => 'המועד כבר שוחרר ונתפס. יש להחזיר את הכסף או לקבוע עם הלקוח מועד אחר.',
    deposit_unavailable: () => 'אין ספק תשלומים שיכול לגבות אותה. הלקוח לא קיבל קישור, והמועד ישוחרר.',
    whatsapp_down: ({ phone, reason }) =>
      `${phone ? `החשבון ${phone}` : 'החשבון'} לא מחובר${reason ? ` (${reason})` : ''}. הודעות לא מגיעות ולא נשלחות.`,
    engine_failing: ({ count, minutes }) =>
      `${count} שיחות נכשלו ב-${minutes} הדקות האחרונות. המתקשרים עוברים לתא קולי.`,
    engine_credit: () => 'הספק מסרב כי נגמרה היתרה או המכסה. המתקשרים עוברים לתא קולי עד שמטעינים.',
    model_failing: ({ model, trouble }) =>
      trouble === 'quota'
        ? `אצל הספק של ${model} נגמרה היתרה. עד שמטעינים עונים המודל השני או הכללים.`
        : `הספק של ${model} לא מקבל את המפתח. עד שמתקנים עונים המודל השני או הכללים.`,
    model_budget: ({ percent }) => `נוצלו ${percent}% מתקציב החודש למודלים. כשהוא נגמר עונים לפי כללים.`,
    silence: ({ hours, usual }) =>
      `ב-${hours} השעות האחרונות לא הגיעה שיחה או הודעה. בשבועות הקודמים הגיעו בשעות האלה לפחות ${usual}.`,
    way_failing: ({ way }) => `התראות ב-${way} נכשלו. בדקו את ההגדרות שם ושלחו בדיקה.`,
    queue_stuck: ({ minutes }) =>
      minutes
        ? `עבודה מחכה כבר ${minutes} דקות. שיחות והודעות נשמרות, אבל לא מטופלות.`
        : 'התור לא עונה. שיחות והודעות נשמרות, אבל לא מטופלות.',
    disk_filling: ({ percent, free }) => `נותרו ${free} GB (${percent}% תפוסים). כשהדיסק מלא דבר לא נשמר.`,
    backup_missing: ({ days }) => (days ? `הגיבוי האחרון לפני ${days} ימים.` : 'עדיין לא נעשה גיבוי.'),
    misconfigured: ({ check, found, advice }) => `${check}: ${found}.${advice ? ` ${advice}` : ''}`,
  },
  en: {
    calendar_reconnect: () =>
      'The connection has expired. New appointments are not checked against it until it is connected again.',
    calendar_failing: ({ name, hours, unwritten }) =>
      unwritten
        ? `${name} does not take appointments (${unwritten}). Whoever looks there sees free time.`
        : `${name} could not be read for ${hours} hours. New appointments are checked against what was read before.`,
    deposit_late: () => 'The time was released and is taken. Return the money, or agree on another time.',
    deposit_unavailable: () =>
      'No payment provider can take it. The customer got no link, and the time will be released.',
    whatsapp_down: ({ phone, reason }) =>
      `${phone ? `The account ${phone}` : 'The account'} is not connected${reason ? ` (${reason})` : ''}. Messages neither arrive nor leave.`,
    engine_failing: ({ count, minutes }) =>
      `${count} calls failed in the last ${minutes} minutes. Callers reach voicemail.`,
    engine_credit: () =>
      'The provider refuses because its credit or quota is used up. Callers reach voicemail until it is topped up.',
    model_failing: ({ model, trouble }) =>
      trouble === 'quota'
        ? `The credit at the provider of ${model} is used up. Until it is topped up, the second model or rules answer.`
        : `The provider of ${model} does not accept the key. Until it is corrected, the second model or rules answer.`,
    model_budget: ({ percent }) =>
      `${percent}% of the month’s budget for models is used. When it is used up, rules answer.`,
    silence: ({ hours, usual }) =>
      `No call and no message came in ${hours} hours. In the weeks before, at least ${usual} came in these hours.`,
    way_failing: ({ way }) => `Alerts by ${way} failed. Check the settings there and send a test.`,
    queue_stuck: ({ minutes }) =>
      minutes
        ? `Work has been waiting for ${minutes} minutes. Calls and messages are stored, but not processed.`
        : 'The queue does not answer. Calls and messages are stored, but not processed.',
    disk_filling: ({ percent, free }) =>
      `${free} GB are left (${percent}% used). Nothing is stored when the disk is full.`,
    backup_missing: ({ days }) => (days ? `The last backup is ${days} days old.` : 'No backup was made yet.'),
    misconfigured: ({ check, found, advice }) => `${check}: ${found}.${advice ? ` ${advice}` : ''}`,
  },
}

export function conditionText(language: Language, kind: AlertKind, facts: Facts | null): string | null {
  return CONDITIONS[language][kind]?.(facts ?? {}) ?? null
}

/** The words around an alert. */
export const WORDS: Record<
  Language,
  {
    withheld: string
    test: string
    testText: string
    escalated: string
    taken(who: string): string
    callBack(who: string): string
    over: string
    summary(count: number): string
    daily: string
    weekly: string
    nothing: string
    counts(count: number): string
    open: string
    settings: string
    unsubscribe: string
    footer(business: string): string
    reply: string
    said: string
    press: string
    thanks: string
    notThere: string
    someone: string
    code(business: string, code: string): string
    take: string
    callBackLater: string
  }
> = {
  he: {
    withheld: 'מספר חסוי',
    test: 'ההתראות פועלות',
    testText: 'זו בדיקה. כך תגיע התראה.',
    escalated: 'אף אחד עוד לא הגיב',
    taken: (who) => `${who} מטפל/ת בזה`,
    callBack: (who) => `${who} חוזר/ת אל הלקוח`,
    over: 'נפתר',
    summary: (count) => `${count} התראות בזמן השקט`,
    daily: 'סיכום היום',
    weekly: 'סיכום השבוע',
    nothing: 'לא קרה דבר שצריך לדעת עליו.',
    counts: (count) => `${count} פעמים`,
    open: 'לפתוח במסוף',
    settings: 'הגדרות התראות',
    unsubscribe: 'להפסיק התראות במייל',
    footer: (business) => `נשלח כי ההתראות של ${business} מוגדרות אליך.`,
    reply: 'השיבו 1 או "בוצע" כדי לקחת את זה, או "אחזור ללקוח".',
    said: 'ההודעה',
    press: 'להקיש 1 כדי לקבל את הטיפול. להקיש 2 לשמיעה חוזרת.',
    thanks: 'תודה. כולם יודעים שזה בטיפול.',
    notThere: 'אין יותר מה לדווח. להתראות.',
    someone: 'מישהו',
    take: 'אני מטפל/ת',
    callBackLater: 'אחזור ללקוח',
    code: (business, code) => `הקוד לאימות המספר שלך אצל ${business}: ${code}`,
  },
  en: {
    withheld: 'Withheld number',
    test: 'Notifications work',
    testText: 'This is a test. An alert arrives like this.',
    escalated: 'No one has reacted yet',
    taken: (who) => `${who} takes care of it`,
    callBack: (who) => `${who} calls the customer back`,
    over: 'Over',
    summary: (count) => `${count} alerts while it was quiet`,
    daily: 'The day in short',
    weekly: 'The week in short',
    nothing: 'Nothing happened that you need to know.',
    counts: (count) => `${count} times`,
    open: 'Open in the console',
    settings: 'Settings of alerts',
    unsubscribe: 'Stop alerts by mail',
    footer: (business) => `You get this because alerts of ${business} are set to reach you.`,
    reply: 'Answer 1 or "done" to take it, or "call back".',
    said: 'Message',
    press: 'Press 1 to take care of it. Press 2 to hear it again.',
    thanks: 'Thank you. Everybody knows that you take care of it.',
    notThere: 'There is nothing to report any more. Goodbye.',
    someone: 'Someone',
    take: 'I take it',
    callBackLater: 'I call back',
    code: (business, code) => `The code that verifies your number at ${business}: ${code}`,
  },
}
