import { z } from 'zod'

export const IMPORT_KINDS = ['contacts', 'leads'] as const
export type ImportKind = (typeof IMPORT_KINDS)[number]

const PERSON = ['phone', 'name', 'first name', 'middle name', 'last name', 'company', 'email'] as const

export const IMPORT_FIELDS = {
  contacts: [...PERSON, 'tags', 'note', 'opted out', 'custom'],
  leads: [...PERSON, 'inquiry', 'stage', 'value', 'date', 'tags', 'note'],
} as const satisfies Record<ImportKind, readonly string[]>
export type ImportField = (typeof IMPORT_FIELDS)[ImportKind][number]

/** Column name → field; columns that are not named are left out. */
export const columnMapping = z.record(z.string().max(500), z.string().max(80))
export type ColumnMapping = z.infer<typeof columnMapping>

export const IDENTIFYING: readonly string[] = [
  'phone',
  'name',
  'first name',
  'last name',
  'company',
  'email',
  'inquiry',
]

const INVISIBLE = /[\p{Cf}\p{Cc}]/gu

/** A heading as it is shown and named in a mapping: without invisible characters, spaces made one. */
export function cleanHeading(text: string): string {
  return text
    .replace(/[\r\n\t]/g, ' ')
    .replace(INVISIBLE, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** What two spellings of one heading have in common: case, punctuation, `firstName`, `first_name`, `First Name*`. */
export function headingKey(text: string): string {
  return cleanHeading(text.normalize('NFKC'))
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .replace(/["'׳״`’.]/g, '')
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
    .trim()
}

/** Headings of other programs' exports (the tests name them), ours, and Hebrew spreadsheets; earlier ones are read first. */
const HEADINGS: readonly [ImportField, RegExp][] = [
  ['phone', /^(phone )?(whats ?app|wa)( id| phone| number| no)?( phone| number)?$/],
  [
    'phone',
    /^((primary|personal|main|business|work|home|contact|customer|client|my) )?(mobile|cell|cellular|cellphone|mobilephone|gsm|iphone)( phone| telephone| tel)?( number| num| no)?( \d+)?( value)?$/,
  ],
  ['phone', /^(phone|telephone|tel)( type)? (mobile|cell|iphone)( value)?$/],
  [
    'phone',
    /^(מספר |מס |טל |טלפון |מספר טלפון |מס טלפון )?(ה)?(נייד|פלאפון|פלפון|סלולרי|סלולארי|סלולר|סלולרית|וואטסאפ|ווטסאפ|ווצאפ|וואצאפ)( (של )?(ה)?לקוח)?( \d+)?$/,
  ],
  ['phone', /^(formatted |full |international )?(phone|telephone|tel)( number| num| no| numbers)?( \d+)?( value)?$/],
  ['phone', /^phone \d+ value$/],
  [
    'phone',
    /^((primary|personal|main|business|work|home|other|company|company main|contact|customer|client|direct|car|radio|office|lead|secondary|alternate|additional|asst) )(phone|telephone|tel)( number| num| no)?( \d+)?( value)?$/,
  ],
  ['phone', /^(phone|telephone|tel) (home|work|main|other|office|business|primary|1|2|3)( value)?$/],
  [
    'phone',
    /^(callback|phones|number|contact number|text reminder number|msisdn|caller|caller id|user phone( number)?)$/,
  ],
  [
    'phone',
    /^(מספר |מס )?(ה)?(טלפון|טל|טלפונים)( (ראשי|נוסף|בבית|בעבודה|עבודה|בית|של הלקוח|הלקוח|לקוח|ליצירת קשר|איש קשר))?( \d+)?$/,
  ],
  [
    'name',
    /^(full|display|contact|contact full|customer|client|lead|saved|person|persons|deal contact|item|formatted) name$|^name$|^fn$/,
  ],
  ['name', /^(contact|customer|client|lead|person)$/],
  ['name', /^(public name|push name|nickname|file as|notify)$/],
  [
    'name',
    /^שם$|^(ה)?שם (ה)?(מלא|לקוח|לקוחה|איש קשר|פונה|מתעניין|איש הקשר)$|^שם (פרטי ו(שם )?משפחה|ומשפחה|ושם משפחה)$|^(איש קשר|לקוח|פונה)$/,
  ],
  ['first name', /^(first|given|christian|contact first) ?name$|^fname$|^first$|^(ה)?שם (ה)?פרטי$/],
  ['middle name', /^(middle|additional) ?name$|^שם אמצעי$/],
  ['last name', /^(last|family|sur|contact last) ?name$|^lname$|^last$|^(ה)?שם (ה)?משפחה$|^משפחה$/],
  [
    'company',
    /^(company|organization|organisation|account|business|associated company|primary associated company)( \d+)?( name)?$|^org$|^(ה)?(חברה|ארגון|עסק)$|^שם (ה)?(חברה|ארגון|עסק)$|^מקום עבודה( ראשי)?$/,
  ],
  [
    'email',
    /^((primary|personal|work|home|business|other|contact|customer|secondary) )?(e ?mail|mail)( address)?( \d+)?( address| value)?$|^(e ?mail|mail) (home|work|personal|other|primary)( value)?$|^emails$|^user e ?mail$/,
  ],
  ['email', /^(כתובת )?(ה)?(מייל|אימייל|אי מייל|דואל|דואר אלקטרוני|מיל)( \d+)?$/],
  [
    'tags',
    /^(tags?|labels?|groups?|group membership|categor(y|ies)|segments?|contact tags?|lists?)$|^(תגיות|תגית|תגים|תיוגים|תוויות|תווית|קבוצה|קבוצות|קטגוריה|קטגוריות|סיווג)$/,
  ],
  [
    'note',
    /^((meeting )?notes?|comments?|remarks?|memo|description|additional info(rmation)?)$|^(ה)?(הערות|הערה|הערות נוספות|פרטים נוספים|פירוט|תיאור)( (ה)?לקוח)?$/,
  ],
  [
    'opted out',
    /^(opted out|opt out|unsubscribed|unsub time|do not (contact|message)|whatsapp opt out)$|^(לא לפנות|הוסר מרשימת תפוצה|הסרה מדיוור|ביקש הסרה)$/,
  ],
  ['custom', /^custom( fields)?$/],
  [
    'inquiry',
    /^(wish|inquiry|enquiry|subject|interest|interested in|request|message|need|service|product|deal (name|title)|lead title|event type( name)?|topic|what do you need)$/,
  ],
  [
    'inquiry',
    /^(ה)?(נושא|בקשה|פנייה|פניה|הודעה|שירות|מוצר)$|^(נושא|מהות|תוכן|סיבת) (ה)?(פנייה|פניה|בקשה)$|^(מתעניין ב|מתעניינת ב|עניין)$|^תוכן ההודעה$/,
  ],
  ['stage', /^((lead|deal|pipeline|contact) )?(stage|status)$|^(ה)?(שלב|סטטוס|מצב)( (ה)?ליד)?$/],
  [
    'value',
    /^((deal|lead|estimated|expected|total) )?(value|amount|price|revenue|budget|sum)$|^(ה)?(שווי|סכום|מחיר|תקציב|עלות)( (ה)?עסקה)?$/,
  ],
  [
    'date',
    /^(date|created|created (at|on|date|time)|creat(e|ion) (date|time)|date (created|added)|(lead|deal) (date|created)|created( at)? utc( 0)?|event created date time|(lead )?submit(ted)?( at| on| time)?|submission (date|time)|timestamp|added (on|time))$/,
  ],
  ['date', /^(ה)?תאריך( (ה)?(פנייה|פניה|יצירה|ליד|קבלה|הוספה))?$|^(נוצר|נוצר בתאריך|נוצר ב|חותמת זמן)$/],
]

/** Columns that are named like the above and hold something else. */
const NEVER =
  /\b(type|label|fax|pager|telex|isdn|tty|tdd|assistants?|yomi|phonetic|display name|opt ?out date|owner|id|source|country|extension|ext|status date)\b|פקס|שלוחה/

/** Named like those, and what they seem to be all the same. */
const YET = /^((wa|caller|whats ?app) id|event type( name)?)$/

/** What forms and programs write around the name of a field. */
const AROUND =
  /^(person|contact|customer|client|lead|deal|invitee|billing|default address) (?=\S)| (required|optional|mandatory|חובה|אופציונלי)$/g

/** What a person is called beside the name: it counts where a row has no other. */
const SECOND_NAME = /^(nickname|file as|push name|public name|notify)$/
/** Of the person in some programs, and of the user of the program in others, where the person has a column of its own. */
const OF_A_USER = /^user /

export function isSecondName(heading: string): boolean {
  return SECOND_NAME.test(headingKey(heading))
}

export function isOfUser(heading: string): boolean {
  return OF_A_USER.test(headingKey(heading))
}

/** @returns which field a heading names, and how early it is read among those of the same field */
export function fieldOfHeading(kind: ImportKind, heading: string): { field: ImportField; rank: number } | null {
  if (heading.length > 200) return null
  const key = headingKey(heading)
  return fieldOfKey(kind, key) ?? fieldOfKey(kind, key.replace(AROUND, ''))
}

function fieldOfKey(kind: ImportKind, key: string): { field: ImportField; rank: number } | null {
  const fields: readonly string[] = IMPORT_FIELDS[kind]
  if (key === '' || key.length > 80 || (NEVER.test(key) && !YET.test(key))) return null
  const rank = HEADINGS.findIndex(([field, pattern]) => fields.includes(field) && pattern.test(key))
  const found = HEADINGS[rank]
  return found ? { field: found[0], rank } : null
}
