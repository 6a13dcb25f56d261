/** What a text asks for, by words. `\b` knows no Hebrew. */
const word = (english: string, hebrew: string) =>
  new RegExp(`(?<!\\p{L})(?:${english}|[ושכלבמה]{0,2}(?:${hebrew}))(?!\\p{L})`, 'iu')

const INTENTS = {
  robot: word(
    'are you (?:a )?(?:real|human|person|robot|bot|machine|ai|computer)|is this (?:a )?(?:bot|robot|machine|ai|human|real person)|am i (?:talking|speaking|chatting) (?:to|with) (?:a )?(?:bot|robot|machine|human|person|computer)|chatgpt|chat gpt',
    'את[הם]? (?:רובוט|בוט|בן אדם|אמיתי\\p{L}*|מכונה|מחשב)|זה (?:רובוט|בוט|מכונה|מענה אוטומטי|בן אדם)|מדבר\\p{L}* עם (?:רובוט|בוט|מחשב|מכונה|בן אדם)\\s*\\?',
  ),
  person: word(
    '(?:real|live|human) (?:person|agent|being)|(?:talk|speak|chat) (?:to|with) (?:a |an |some ?)?(?:person|human|one|agent|manager|owner|representative)|representative|operator|call me(?: back)?|the (?:manager|owner)|a? ?person|human',
    'נציג\\p{L}*|בן אדם|בנאדם|לדבר עם (?:מישהו|אדם|הבעלים|המנהל\\p{L}*|בעל העסק)|מענה אנושי|תתקשרו(?: אליי| אלי)?|שיתקשרו|המנהל\\p{L}*|הבעלים',
  ),
  angry: word(
    'terrible|awful|disgusting|scam|fraud|liars?|useless|idiots?|ridiculous|furious|unacceptable|lawyer|sue you|complain\\p{L}*|worst|fuck\\p{L}*|shit|wtf',
    'גרוע\\p{L}*|מחפיר|בושה|נוכל\\p{L}*|רמאי\\p{L}*|שקרנ\\p{L}*|נמאס(?: לי)?|חוצפה|עורך דין|אתבע|תביעה|תלונה|מגעיל\\p{L}*|זוועה|שערורי\\p{L}*|דפוק\\p{L}*|אידיוט\\p{L}*',
  ),
  cancel: word('cancel\\p{L}*|call off', 'לבטל|ביטול|תבטל\\p{L}*|בטלו|מבטל\\p{L}*|לבטל את התור'),
  move: word(
    'reschedul\\p{L}*|postpone|(?:move|change) (?:my |the )?(?:appointment|meeting|time)|another time',
    'לדחות|להזיז|לשנות (?:את )?ה?(?:תור|פגישה|מועד|שעה)|להקדים|דחייה|מועד אחר|להעביר את התור',
  ),
  mine: word(
    'when is my (?:appointment|meeting)|my (?:next )?appointments?|do i have an appointment',
    'מתי התור שלי|מתי ה?פגישה שלי|התור שלי|התורים שלי|יש לי תור',
  ),
  /** Of another person: nothing is said about it. */
  others: word(
    "(?:when|what time) is (?:his|her|their|\\p{L}+['’]s) (?:appointment|meeting)",
    '(?:מתי|באיזו שעה) ה?(?:תור|פגישה) (?:של(?:ו|ה|הם|הן)|של (?!מחר|היום|יום|ה?בוקר|ה?ערב|שבת)[\\p{L}\\d]+)',
  ),
  /** To book, not a question about it. */
  wantsBooking: word(
    "(?:can|could|may) (?:i|we) (?:book|schedule|reserve|make an appointment)|(?:i|we)(?:'d| would)? (?:like|want|need) to (?:book|schedule|reserve|make an appointment)",
    '(?:אפשר|ניתן|רוצה|רוצים|אשמח|צריך|צריכה|צריכים) (?:לקבוע|להזמין|לתאם)|תקבע\\p{L}* לי|תזמינ\\p{L}* לי',
  ),
  book: word(
    'book\\p{L}*|appointment|schedule|reserve|reservation|come in|free (?:time|slot)s?|available|availability|set (?:up )?a meeting',
    'לקבוע|קביעת|תור|תורים|פגישה|תקבע\\p{L}*|להזמין תור|לתאם|תיאום|מועד פנוי|פנויים|מקום פנוי',
  ),
  hours: word(
    'opening hours|business hours|hours|open|close[ds]?|closing|when are you',
    'שעות|פתוח\\p{L}*|סגור\\p{L}*|נסגר\\p{L}*|מתי אתם|עד איזו שעה|עד מתי|מאיזו שעה',
  ),
  wrong: word('wrong number|wrong person', 'טעות במספר|מספר שגוי|טעיתי במספר'),
  thanks: word('thanks?|thank you|thx|great|perfect|cheers', 'תודה(?: רבה)?|מעולה|מצוין|אחלה|סבבה'),
  goodbye: word('bye|goodbye|good night|see you', 'להתראות|ביי|לילה טוב|יום טוב|שבת שלום'),
  greeting: word(
    'hi|hello|hey|good (?:morning|evening|afternoon)|shalom',
    'שלום(?: רב)?|היי|הי|אהלן|בוקר טוב|ערב טוב|צהריים טובים|מה נשמע|מה שלומכם|מה קורה',
  ),
  message: word(
    'leave (?:a )?(?:message|details|my details)|take a message|get back to me|contact me|interested',
    'להשאיר (?:הודעה|פרטים)|תחזרו אליי?|שתחזרו|חזרו אלי|מעוניי?נ\\p{L}*|אשמח לפרטים|תחזור\\p{L}* אלי',
  ),
} as const

export type Intent = keyof typeof INTENTS

/** The intents of a text, in the order in which they count. */
export function intentsOf(text: string): Intent[] {
  return Object.entries(INTENTS).flatMap(([name, pattern]) => (pattern.test(text) && isIntent(name) ? [name] : []))
}

function isIntent(name: string): name is Intent {
  return Object.hasOwn(INTENTS, name)
}

/** Whether a text says nothing beyond a greeting or thanks. */
export function isOnly(text: string, intent: 'greeting' | 'thanks' | 'goodbye'): boolean {
  const rest = text.replace(new RegExp(INTENTS[intent].source, 'giu'), '').replace(/[^\p{L}\p{N}]+/gu, '')
  return rest.length <= 3
}

const YES =
  /^\s*(yes|yep|yeah|ok|okay|sure|please do|correct|confirm\p{L}*|כן|בטח|מאשר\p{L}*|נכון|אוקיי?|בסדר|יאללה)(?!\p{L})/iu
const NO = /^\s*(no|nope|not now|never mind|don'?t|לא|עזבו?|לא צריך|אין צורך)(?!\p{L})/iu

export const saysYes = (text: string) => YES.test(text)
export const saysNo = (text: string) => NO.test(text)

/** Whether a text asks something. */
export function isQuestion(text: string): boolean {
  return (
    /\?/.test(text) ||
    /^\s*(how|what|when|where|which|who|why|do|does|is|are|can|could|כמה|מה|מתי|איפה|איך|האם|למה|מי|יש(?! (?:לי|לנו|אצלי|אצלנו)(?!\p{L}))|אפשר|איזה)(?!\p{L})/iu.test(
      text,
    )
  )
}

/** The questions of a text, in order: people ask several in one message, or in several that are answered together. */
export function questionsOf(text: string): string[] {
  return text
    .split(/\n|(?<=\?)/)
    .map((part) => part.trim())
    .filter(isQuestion)
}
