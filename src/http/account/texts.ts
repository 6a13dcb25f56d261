import type { Language } from '../../domain/members/index.ts'

type Texts = {
  title: string
  other: string
  invited(business: string, role: string): string
  email: string
  name: string
  nameHint: string
  password: string
  passwordHint: string
  newPassword: string
  rules: string
  code: string
  accept: string
  acceptAs(name: string): string
  send: string
  save: string
  toLogin: string
  wrongLogin: string
  forgot: string
  forgotHint: string
  forgotDone: string
  noMail: string
  resetFor(email: string): string
  resetDone: string
  gone: string
  goneHint: string
  wrongPassword: string
  wrongCode: string
  tooMany: string
  tooShort: string
  tooLong: string
  tooCommon: string
}

export const ACCOUNT_TEXTS: Record<Language, Texts> = {
  en: {
    title: 'AgentLocator',
    other: 'עברית',
    invited: (business, role) => `You are invited to join ${business}. The role: ${role}.`,
    email: 'E-mail',
    name: 'Your name',
    nameHint: 'Only if you have no login here yet.',
    password: 'Password',
    passwordHint: 'Your password here, if you have one already. Otherwise choose one: at least 10 characters.',
    newPassword: 'New password',
    rules: 'At least 10 characters, and not easy to guess: several unrelated words are good.',
    code: 'One-time code, or one of your recovery codes',
    accept: 'Accept',
    acceptAs: (name) => `Accept as ${name}`,
    send: 'Send the link',
    save: 'Save the password',
    toLogin: 'Log in',
    wrongLogin: 'The e-mail or the password is wrong.',
    forgot: 'Forgot your password?',
    forgotHint: 'Enter your e-mail. If there is a login for it, a link to choose a new password is sent to it.',
    forgotDone: 'If there is a login for this address, a mail with a link is on its way. The link works for an hour.',
    noMail: 'No mail is set up here. Ask the person who runs this installation for a link.',
    resetFor: (email) => `A new password for ${email}`,
    resetDone: 'The password was changed, and you were logged out everywhere.',
    gone: 'This link is no longer valid',
    goneHint: 'It was used, replaced or withdrawn, or it is too old. Ask for a new one.',
    wrongPassword:
      'This password cannot be used. If you have a login here, it is not its password; if you choose a new one, take at least 10 characters that are not easy to guess.',
    wrongCode: 'The code is wrong or was already used. Enter the current code.',
    tooMany: 'Too many attempts. Try again in 15 minutes.',
    tooShort: 'The password is too short. Use at least 10 characters.',
    tooLong: 'The password is too long. Use at most 128 characters.',
    tooCommon: 'The password is easy to guess. Choose several unrelated words.',
  },
  he: {
    title: 'AgentLocator',
    other: 'English',
    invited: (business, role) => `הוזמנת להצטרף אל ${business}. ההרשאה: ${role}.`,
    email: 'אימייל',
    name: 'השם שלך',
    nameHint: 'רק אם זו הכניסה הראשונה שלך כאן.',
    password: 'סיסמה',
    passwordHint: 'הסיסמה הקיימת שלך כאן, אם יש. אחרת יש לבחור סיסמה: לפחות 10 תווים.',
    newPassword: 'סיסמה חדשה',
    rules: 'לפחות 10 תווים, ולא קלה לניחוש: כמה מילים לא קשורות הן בחירה טובה.',
    code: 'קוד חד־פעמי, או אחד מקודי השחזור',
    accept: 'קבלת ההזמנה',
    acceptAs: (name) => `קבלה בשם ${name}`,
    send: 'שליחת הקישור',
    save: 'שמירת הסיסמה',
    toLogin: 'כניסה',
    wrongLogin: 'האימייל או הסיסמה שגויים.',
    forgot: 'שכחת את הסיסמה?',
    forgotHint: 'יש להזין אימייל. אם קיימת כניסה עבורו, יישלח אליו קישור לבחירת סיסמה חדשה.',
    forgotDone: 'אם קיימת כניסה לכתובת הזו, הודעה עם קישור בדרך אליה. הקישור תקף לשעה.',
    noMail: 'לא הוגדר כאן דואר. אפשר לבקש קישור ממי שמפעיל את המערכת.',
    resetFor: (email) => `סיסמה חדשה עבור ${email}`,
    resetDone: 'הסיסמה הוחלפה, וכל ההתחברויות הקודמות נותקו.',
    gone: 'הקישור אינו תקף עוד',
    goneHint: 'הוא נוצל, הוחלף, בוטל או פג תוקפו. אפשר לבקש קישור חדש.',
    wrongPassword:
      'אי אפשר להשתמש בסיסמה הזו. אם יש לך כאן כניסה, זו לא הסיסמה שלה; אם זו סיסמה חדשה, נדרשים לפחות 10 תווים שלא קל לנחש.',
    wrongCode: 'הקוד שגוי, או שכבר נעשה בו שימוש.',
    tooMany: 'יותר מדי ניסיונות; אפשר לנסות שוב בעוד רבע שעה.',
    tooShort: 'הסיסמה קצרה מדי: לפחות 10 תווים.',
    tooLong: 'הסיסמה ארוכה מדי: לכל היותר 128 תווים.',
    tooCommon: 'קל לנחש את הסיסמה. כדאי לבחור כמה מילים לא קשורות.',
  },
}

export function passwordProblem(language: Language, code: string): string {
  const texts = ACCOUNT_TEXTS[language]
  if (code === 'password_too_short') return texts.tooShort
  return code === 'password_too_long' ? texts.tooLong : texts.tooCommon
}
