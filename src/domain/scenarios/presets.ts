import type { PRESETS } from './schema.ts'

type Text = { title: string; text: string }
type Service = { nameHe: string; nameEn: string; minutes: number; price: number | null }

/** A business of a trade, as scenarios find it: its texts in both languages, services and hours. Prices are in agorot. */
export type Preset = {
  name: { he: string; en: string }
  hours: Partial<Record<'sun' | 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat', [string, string][]>>
  services: Service[]
  knowledge: { he: Text[]; en: Text[] }
  handoverTopics: string[]
}

const week = (from: string, to: string, friday: [string, string] | null = null): Preset['hours'] => ({
  sun: [[from, to]],
  mon: [[from, to]],
  tue: [[from, to]],
  wed: [[from, to]],
  thu: [[from, to]],
  ...(friday ? { fri: [friday] } : {}),
})

export const PRESET_BUSINESSES: Record<(typeof PRESETS)[number], Preset> = {
  plumber: {
    name: { he: 'אינסטלציה כהן', en: 'Cohen Plumbing' },
    hours: week('08:00', '18:00', ['08:00', '12:00']),
    services: [{ nameHe: 'ביקור אינסטלטור', nameEn: 'Plumber visit', minutes: 60, price: 25_000 }],
    knowledge: {
      he: [
        { title: 'מחיר ביקור', text: 'ביקור אינסטלטור עולה 250 ש״ח כולל מע״מ, ובו חצי שעת עבודה.' },
        { title: 'קריאות חירום בלילה', text: 'קריאת חירום בלילה: תוספת של 150 ש״ח למחיר הביקור.' },
        { title: 'אזור שירות', text: 'אנחנו עובדים בראשון לציון, חולון, בת ים ונס ציונה.' },
        { title: 'נזילה', text: 'בזמן נזילה יש לסגור את הברז הראשי, ליד מונה המים, ולהתרחק משקעי חשמל רטובים.' },
        { title: 'אחריות', text: 'על כל תיקון יש אחריות של 12 חודשים.' },
      ],
      en: [
        { title: 'Price of a visit', text: 'A plumber visit costs 250 NIS including VAT, with half an hour of work.' },
        { title: 'Emergencies at night', text: 'An emergency call at night adds 150 NIS to the price of the visit.' },
        { title: 'Service area', text: 'We work in Rishon LeZion, Holon, Bat Yam and Ness Ziona.' },
        {
          title: 'Leaks',
          text: 'In a leak, close the main valve next to the water meter and keep away from wet sockets.',
        },
        { title: 'Warranty', text: 'Every repair has a warranty of 12 months.' },
      ],
    },
    handoverTopics: [],
  },
  'real-estate': {
    name: { he: 'תיווך השרון', en: 'Sharon Realty' },
    hours: week('09:00', '19:00', ['09:00', '13:00']),
    services: [{ nameHe: 'סיור בדירה', nameEn: 'Apartment viewing', minutes: 30, price: null }],
    knowledge: {
      he: [
        { title: 'דמי תיווך', text: 'דמי התיווך בקנייה הם 2% בתוספת מע״מ. בשכירות: חודש שכירות אחד בתוספת מע״מ.' },
        { title: 'לפני סיור', text: 'לפני סיור בדירה חותמים על טופס הזמנת שירותי תיווך.' },
        { title: 'אזורי פעילות', text: 'אנחנו מתמחים ברעננה, כפר סבא, הוד השרון והרצליה.' },
      ],
      en: [
        {
          title: 'Commission',
          text: 'The commission on a purchase is 2% plus VAT. On a rental it is one month of rent plus VAT.',
        },
        { title: 'Before a viewing', text: 'Before a viewing you sign an order form for brokerage services.' },
        { title: 'Areas', text: 'We work in Raanana, Kfar Saba, Hod Hasharon and Herzliya.' },
      ],
    },
    handoverTopics: [],
  },
  clinic: {
    name: { he: 'מרפאת ד״ר לוי', en: 'Dr. Levy Clinic' },
    hours: week('08:00', '16:00'),
    services: [{ nameHe: 'ביקור רופא', nameEn: 'Doctor visit', minutes: 20, price: 40_000 }],
    knowledge: {
      he: [
        { title: 'מחיר ביקור', text: 'ביקור פרטי עולה 400 ש״ח. מבוטחי מכבי וכללית משלמים השתתפות עצמית בלבד.' },
        { title: 'כתובת וחניה', text: 'המרפאה ברחוב ביאליק 8, רמת גן, קומה 1. חניה בחינם מאחורי הבניין.' },
        { title: 'מה להביא', text: 'לביקור יש להביא תעודת זהות, כרטיס קופה ומסמכים רפואיים קודמים.' },
        { title: 'חירום', text: 'במקרה חירום יש להתקשר למד״א, 101.' },
      ],
      en: [
        { title: 'Price of a visit', text: 'A private visit costs 400 NIS.' },
        {
          title: 'Address and parking',
          text: 'The clinic is at 8 Bialik street, Ramat Gan, first floor. Parking behind the building.',
        },
        { title: 'Emergency', text: 'In an emergency call 101.' },
      ],
    },
    handoverTopics: ['תרופה', 'תוצאות בדיקה', 'medication', 'test results'],
  },
  garage: {
    name: { he: 'מוסך השלום', en: 'Shalom Garage' },
    hours: week('07:30', '17:00'),
    services: [
      { nameHe: 'טיפול שנתי', nameEn: 'Yearly service', minutes: 120, price: 90_000 },
      { nameHe: 'החלפת צמיגים', nameEn: 'Tyre change', minutes: 60, price: null },
    ],
    knowledge: {
      he: [
        { title: 'טיפול שנתי', text: 'טיפול שנתי עולה 900 ש״ח, כולל שמן ומסננים, ונמשך כשעתיים.' },
        { title: 'רכב חלופי', text: 'אין לנו רכב חלופי. אפשר להמתין במקום, ויש קפה ואינטרנט.' },
        { title: 'גרירה', text: 'גרירה בתוך העיר עולה 350 ש״ח.' },
      ],
      en: [
        {
          title: 'Yearly service',
          text: 'A yearly service costs 900 NIS with oil and filters, and takes about two hours.',
        },
        { title: 'Courtesy car', text: 'We have no courtesy car. You can wait here.' },
        { title: 'Towing', text: 'Towing within the city costs 350 NIS.' },
      ],
    },
    handoverTopics: [],
  },
  salon: {
    name: { he: 'מספרת דנה', en: 'Dana Hair' },
    hours: { ...week('09:00', '19:00', ['09:00', '14:00']), sun: [] },
    services: [
      { nameHe: 'תספורת', nameEn: 'Haircut', minutes: 45, price: 12_000 },
      { nameHe: 'צבע', nameEn: 'Colour', minutes: 90, price: 28_000 },
    ],
    knowledge: {
      he: [
        { title: 'מחירון', text: 'תספורת עולה 120 ש״ח, צבע עולה 280 ש״ח, פן עולה 80 ש״ח.' },
        { title: 'כתובת', text: 'אנחנו ברחוב הרצל 12, ראשון לציון.' },
        { title: 'ביטול תור', text: 'אפשר לבטל תור בלי תשלום עד 24 שעות לפניו.' },
      ],
      en: [
        { title: 'Prices', text: 'A haircut costs 120 NIS, colour costs 280 NIS, a blow-dry costs 80 NIS.' },
        { title: 'Address', text: 'We are at 12 Herzl street, Rishon LeZion.' },
      ],
    },
    handoverTopics: [],
  },
  lawyer: {
    name: { he: 'משרד עורכי דין ברק', en: 'Barak Law Office' },
    hours: week('09:00', '17:00'),
    services: [{ nameHe: 'פגישת ייעוץ', nameEn: 'Consultation', minutes: 45, price: 60_000 }],
    knowledge: {
      he: [
        { title: 'פגישת ייעוץ', text: 'פגישת ייעוץ ראשונה עולה 600 ש״ח, והסכום מקוזז אם לוקחים את התיק.' },
        { title: 'תחומים', text: 'המשרד עוסק במקרקעין, ירושות וצוואות ודיני עבודה. איננו עוסקים בפלילים.' },
      ],
      en: [
        { title: 'Consultation', text: 'A first consultation costs 600 NIS, which is deducted when we take the case.' },
        {
          title: 'Fields',
          text: 'We practise real estate, wills and inheritance, and labour law. We do not take criminal cases.',
        },
      ],
    },
    handoverTopics: ['ייעוץ משפטי בכתב'],
  },
}
