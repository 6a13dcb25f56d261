import { z } from 'zod'
import { NOTICE_TEXTS, type NoticeTextKind, type NoticeTexts } from '../../../db/schema/index.ts'
import { wallClock } from '../../lib/local-time.ts'

type Language = 'he' | 'en'

/** What a text is filled with; `amount` is the deposit's, `until` how long a time is kept. */
export type NoticeFacts = {
  business: string
  when: string
  link: string
  service?: string
  amount?: string
  until?: string
}

/** An answer to what a customer answered. */
export type AnswerKind = 'confirmed' | 'move' | 'too_late' | 'unclear'
export type NoticeText = NoticeTextKind | AnswerKind | 'offer' | 'reminder_late'

/** The names that a business may write in braces in its own words. */
const PLACEHOLDERS = ['business', 'when', 'link', 'service', 'amount', 'until'] as const

/** What is sent where a business has no words of its own. */
const USUAL_TEXTS: Record<Language, Record<NoticeText, string>> = {
  he: {
    booked: 'התור שלך אצל {business} נקבע: {when}. לשינוי או לביטול: {link}',
    moved: 'התור שלך אצל {business} הועבר: {when}. לשינוי או לביטול: {link}',
    cancelled: 'התור שלך אצל {business} בוטל: {when}.',
    reminder: 'תזכורת: תור אצל {business}, {when}. להשיב 1 לאישור, 2 לשינוי, 3 לביטול. {link}',
    reminder_late: 'תזכורת: תור אצל {business}, {when}. להשיב 1 לאישור. לשינוי או לביטול נא להתקשר. {link}',
    follow_up: 'תודה על הביקור אצל {business}. נשמח לשמוע איך היה.',
    no_show: 'לא נפגשנו {when} אצל {business}. לקביעת מועד אחר אפשר להתקשר או לכתוב לנו.',
    deposit: 'כדי שהתור אצל {business} ({service}), {when}, ייקבע, יש לשלם עד {until} מקדמה של {amount}: {link}',
    released: 'המקדמה לתור אצל {business}, {when}, לא שולמה בזמן, והמועד שוחרר.',
    refund_due: 'המקדמה התקבלה אחרי שהמועד {when} אצל {business} שוחרר, והוא כבר תפוס. העסק יחזור אליך ויחזיר את הכסף.',
    offer: 'התפנה תור אצל {business}: {when}. הוא שמור לך עד {until}. לקביעה או לוויתור: {link}',
    confirmed: 'תודה, נתראה {when}.',
    move: 'לבחירת מועד אחר: {link}',
    too_late: 'מאוחר מדי לשנות כאן. נא להתקשר אל {business}.',
    unclear: 'כאן נקראות רק התשובות 1 לאישור, 2 לשינוי, 3 לביטול. לכל דבר אחר נא להתקשר אל {business}. {link}',
  },
  en: {
    booked: 'Your appointment at {business} is booked: {when}. To move or cancel it: {link}',
    moved: 'Your appointment at {business} was moved: {when}. To move or cancel it: {link}',
    cancelled: 'Your appointment at {business} was cancelled: {when}.',
    reminder: 'Reminder: your appointment at {business}, {when}. Answer 1 to confirm, 2 to move, 3 to cancel. {link}',
    reminder_late:
      'Reminder: your appointment at {business}, {when}. Answer 1 to confirm. To move or cancel it, please call. {link}',
    follow_up: 'Thank you for visiting {business}. We would like to hear how it was.',
    no_show: 'We missed you {when} at {business}. Call or write to us to choose another time.',
    deposit:
      'To book your appointment at {business} ({service}), {when}, pay the deposit of {amount} by {until}: {link}',
    released:
      'The deposit for your appointment at {business}, {when}, was not paid in time, and the time was released.',
    refund_due:
      'Your deposit came after the time {when} at {business} was released, and it is taken. The business will contact you and return the money.',
    offer:
      'A time became free at {business}: {when}. It is held for you until {until}. Take or decline it here: {link}',
    confirmed: 'Thank you, see you {when}.',
    move: 'Choose another time here: {link}',
    too_late: 'It is too late to change it here. Please call {business}.',
    unclear:
      'Only 1 to confirm, 2 to move and 3 to cancel are read here. For anything else please call {business}. {link}',
  },
}

/** What is said to a customer who is rung up. */
export const SPOKEN: Record<
  Language,
  { reminder(facts: NoticeFacts): string; ask: string; over: string } & Record<
    'confirmed' | 'cancelled' | 'move' | 'too_late',
    string
  >
> = {
  he: {
    reminder: ({ business, when }) => `שלום, כאן ${business}. תזכורת לתור: ${when}.`,
    ask: 'לאישור להקיש 1. לקבלת קישור לשינוי המועד להקיש 2. לביטול להקיש 3. לשמיעה חוזרת להקיש 4.',
    confirmed: 'תודה, התור אושר. להתראות.',
    cancelled: 'התור בוטל. להתראות.',
    move: 'נשלח אליך קישור לבחירת מועד אחר. להתראות.',
    too_late: 'מאוחר מדי לשנות כאן. נא להתקשר אל העסק. להתראות.',
    over: 'אין יותר מה להזכיר. להתראות.',
  },
  en: {
    reminder: ({ business, when }) => `Hello, this is ${business}, with a reminder of your appointment: ${when}.`,
    ask: 'Press 1 to confirm. Press 2 to get a link to move it. Press 3 to cancel. Press 4 to hear it again.',
    confirmed: 'Thank you, your appointment is confirmed. Goodbye.',
    cancelled: 'Your appointment is cancelled. Goodbye.',
    move: 'A link to choose another time is on its way to you. Goodbye.',
    too_late: 'It is too late to change it here. Please call the business. Goodbye.',
    over: 'There is nothing to remind you of any more. Goodbye.',
  },
}

/** A text in the business's words or the usual ones. */
export function noticeText(
  language: Language,
  kind: NoticeText,
  facts: NoticeFacts,
  own: NoticeTexts | undefined = undefined,
): string {
  const ownKind = kind === 'reminder_late' ? 'reminder' : kind
  const words = (isOwn(ownKind) ? own?.[language]?.[ownKind]?.trim() : '') || USUAL_TEXTS[language][kind]
  return words.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const known = PLACEHOLDERS.find((each) => each === name)
    return known ? (facts[known] ?? '') : whole
  })
}

const isOwn = (kind: NoticeText): kind is NoticeTextKind => NOTICE_TEXTS.some((each) => each === kind)

export const noticeTextsView = z.object({
  kind: z.enum(NOTICE_TEXTS),
  text: z.object({ he: z.string(), en: z.string() }),
})

/** What is sent of each kind where a business has no words of its own. */
export function usualTexts(): z.infer<typeof noticeTextsView>[] {
  return NOTICE_TEXTS.map((kind) => ({ kind, text: { he: USUAL_TEXTS.he[kind], en: USUAL_TEXTS.en[kind] } }))
}

/** Names in braces that a text cannot be filled with. */
export function unknownPlaceholders(text: string): string[] {
  return [...text.matchAll(/\{([^{}]*)\}/g)].flatMap(([, name = '']) =>
    PLACEHOLDERS.some((each) => each === name) ? [] : [name],
  )
}

/** A moment as people of the language read it, on the clocks of a zone. */
export function sayWhen(language: Language, at: Date, timeZone: string): string {
  const locale = language === 'he' ? 'he-IL' : 'en-GB'
  return new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short', timeZone }).format(at)
}

/** Until when something is kept: the time alone, where that is on the day of `now`. */
export function sayUntil(language: Language, at: Date, timeZone: string, now: Date): string {
  const { date, time } = wallClock(at, timeZone)
  return date === wallClock(now, timeZone).date ? time : sayWhen(language, at, timeZone)
}

export type Reply = 'confirm' | 'move' | 'cancel'

const WORDS: Record<Reply, readonly string[]> = {
  confirm: [
    '1',
    'כן',
    'מאשר',
    'מאשרת',
    'מאשרים',
    'אישור',
    'אגיע',
    'מגיע',
    'מגיעה',
    'מגיעים',
    'yes',
    'ok',
    'okay',
    'confirm',
    'confirmed',
    'coming',
  ],
  move: ['2', 'לשנות', 'שינוי', 'להזיז', 'לדחות', 'להעביר', 'move', 'change', 'reschedule', 'postpone'],
  cancel: ['3', 'לבטל', 'ביטול', 'מבטל', 'מבטלת', 'בטלו', 'cancel'],
}
/** A refusal as a whole; what else is said with it may say when, and is left to a person. */
const REFUSALS = [
  /^(?:אני )?לא (?:אגיע|נגיע|מגיע|מגיעה|מגיעים|אבוא|נבוא|בא|באה|אוכל להגיע|נוכל להגיע|(?:יכול|יכולה|יכולים) להגיע)$/,
  /^(?:i |we )?(?:am not coming|are not coming|i'm not coming|we're not coming|not coming|(?:can't|cannot|can not|won't|will not) (?:come|make it|be there))$/,
]
/** Said with it, and asking for nothing else. */
const POLITE = new Set(['מצטער', 'מצטערת', 'מצטערים', 'סליחה', 'תודה', 'שלום', 'היי', 'sorry', 'thanks', 'hi', 'hello'])
/** What turns a word around: "not coming", "do not cancel". A person reads these. */
const NEGATIONS = ['לא', 'אל', 'not', 'no', "don't", 'dont', "can't", 'cant', 'never']
/** Longer is a message to a person. */
const MAX_WORDS = 6

/** What the answer to a reminder asks for; null where it asks for nothing or for several things. */
export function readReply(text: string): Reply | null {
  const words = text
    .toLowerCase()
    .replaceAll('’', "'")
    .split(/[^\p{L}\p{N}']+/u)
    .filter(Boolean)
  const plain = words.filter((word) => !POLITE.has(word)).join(' ')
  if (REFUSALS.some((refusal) => refusal.test(plain))) return 'cancel'
  if (words.length === 0 || words.length > MAX_WORDS || words.some((word) => NEGATIONS.includes(word))) return null
  // "at 3" is a time, not an answer.
  const [first] = words
  const asked = (['confirm', 'move', 'cancel'] as const).filter((reply) =>
    WORDS[reply].some((word) => (/^\d$/.test(word) ? words.length === 1 && first === word : words.includes(word))),
  )
  return asked.length === 1 ? (asked[0] ?? null) : null
}
