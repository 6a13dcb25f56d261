type Language = 'he' | 'en'

export type CallSummary = {
  summary: string
  sentiment: 'positive' | 'neutral' | 'negative' | null
  nextStep: string | null
  fields: Record<string, string>
  madeBy: 'rules' | 'model' | 'member'
}

export type CallForRules = {
  language: Language
  name: string | null
  inquiry: string | null
  callbackTime: string | null
  endReason: string | null
  turns: readonly { role: 'agent' | 'caller'; text: string | null; question: string | null; audioKey: string | null }[]
}

const WORDS = {
  he: {
    called: (name: string | null) => (name ? `שיחה מאת ${name}.` : 'התקבלה שיחה.'),
    inquiry: (inquiry: string) => `הבקשה: ${inquiry}.`,
    area: (area: string) => `אזור: ${area}.`,
    budget: (budget: string) => `תקציב: ${budget}.`,
    callback: (time: string) => `לחזור: ${time}.`,
    silent: 'הצד השני לא אמר דבר.',
    kept: (count: number) => (count === 1 ? 'תשובה אחת שמורה כהקלטה.' : `${count} תשובות שמורות כהקלטה.`),
    listen: 'להאזין לתשובות ולחזור אל הלקוח.',
    callBack: 'לחזור אל הלקוח.',
  },
  en: {
    called: (name: string | null) => (name ? `${name} called.` : 'An unknown caller called.'),
    inquiry: (inquiry: string) => `Inquiry: ${inquiry}.`,
    area: (area: string) => `Area: ${area}.`,
    budget: (budget: string) => `Budget: ${budget}.`,
    callback: (time: string) => `Call back: ${time}.`,
    silent: 'The caller said nothing.',
    kept: (count: number) => (count === 1 ? 'One answer is kept as audio.' : `${count} answers are kept as audio.`),
    listen: 'Listen to the answers and call back.',
    callBack: 'Call back.',
  },
} as const

/** Pure: what can be said of a call without a model, in the business's language. */
export function summaryByRules(call: CallForRules): CallSummary {
  const words = WORDS[call.language]
  const said = call.turns.filter((turn) => turn.role === 'caller')
  const kept = said.filter((turn) => turn.text === null && turn.audioKey !== null)
  const spoken = said.flatMap((turn) => turn.text ?? []).join('\n')
  const area = findArea(spoken)
  const budget = findBudget(spoken)
  const parts = [
    words.called(call.name),
    ...(call.inquiry ? [words.inquiry(call.inquiry)] : []),
    ...(area ? [words.area(area)] : []),
    ...(budget ? [words.budget(budget)] : []),
    ...(call.callbackTime ? [words.callback(call.callbackTime)] : []),
    ...(said.length === 0 ? [words.silent] : []),
    ...(kept.length > 0 ? [words.kept(kept.length)] : []),
  ]
  const found = { name: call.name, inquiry: call.inquiry, area, budget, callback_time: call.callbackTime }
  return {
    summary: parts.join(' '),
    sentiment: findSentiment(spoken),
    nextStep: call.endReason === 'transferred' || said.length === 0 ? null : nextStep(),
    fields: Object.fromEntries(Object.entries(found).flatMap(([key, value]) => (value ? [[key, value]] : []))),
    madeBy: 'rules',
  }

  function nextStep(): string {
    if (kept.length > 0) return words.listen
    return call.callbackTime ? words.callback(call.callbackTime) : words.callBack
  }
}

const AMOUNT = String.raw`\d[\d,.]*(?:\s?(?:אלף|מיליון|k\b|thousand|million))?`
const CURRENCY = String.raw`(?:₪|ש["״]ח|שקל(?:ים)?|nis\b|ils\b|shekels?\b|dollars?\b|דולר(?:ים)?)`
const BUDGET = new RegExp(`(?:[₪$]\\s?${AMOUNT}|${AMOUNT}\\s?${CURRENCY})`, 'giu')

/** The last sum of money that was named: people correct themselves upwards. */
function findBudget(spoken: string): string | null {
  return spoken.match(BUDGET)?.at(-1)?.trim() ?? null
}

/** Cities and regions that callers name, in both spellings; the answer is in the language it was said in. */
const PLACES: readonly (readonly [he: string, en: string])[] = [
  ['תל אביב', 'Tel Aviv'],
  ['ירושלים', 'Jerusalem'],
  ['חיפה', 'Haifa'],
  ['ראשון לציון', 'Rishon LeZion'],
  ['פתח תקווה', 'Petah Tikva'],
  ['אשדוד', 'Ashdod'],
  ['נתניה', 'Netanya'],
  ['באר שבע', 'Beersheba'],
  ['בני ברק', 'Bnei Brak'],
  ['חולון', 'Holon'],
  ['רמת גן', 'Ramat Gan'],
  ['אשקלון', 'Ashkelon'],
  ['רחובות', 'Rehovot'],
  ['בת ים', 'Bat Yam'],
  ['בית שמש', 'Beit Shemesh'],
  ['כפר סבא', 'Kfar Saba'],
  ['הרצליה', 'Herzliya'],
  ['חדרה', 'Hadera'],
  ['מודיעין', 'Modiin'],
  ['נצרת', 'Nazareth'],
  ['לוד', 'Lod'],
  ['רמלה', 'Ramla'],
  ['רעננה', 'Raanana'],
  ['רהט', 'Rahat'],
  ['גבעתיים', 'Givatayim'],
  ['נהריה', 'Nahariya'],
  ['הוד השרון', 'Hod Hasharon'],
  ['אילת', 'Eilat'],
  ['טבריה', 'Tiberias'],
  ['עכו', 'Acre'],
  ['כרמיאל', 'Karmiel'],
  ['עפולה', 'Afula'],
  ['יבנה', 'Yavne'],
  ['נס ציונה', 'Ness Ziona'],
  ['ראש העין', 'Rosh Haayin'],
  ['קריית גת', 'Kiryat Gat'],
  ['קריית אתא', 'Kiryat Ata'],
  ['רמת השרון', 'Ramat Hasharon'],
  ['זכרון יעקב', 'Zichron Yaakov'],
  ['הגליל', 'Galilee'],
  ['הנגב', 'Negev'],
  ['השרון', 'Sharon'],
  ['השפלה', 'Shfela'],
  ['גוש דן', 'Gush Dan'],
]
// Hebrew glues its prepositions to the name: בחיפה, לתל אביב, ומרמת גן, באזור השרון, בגליל.
const AREAS = PLACES.map(([he, en]) => ({
  he,
  en,
  pattern: new RegExp(
    `(?<![\\p{L}])(?:ו?[בלמ]?${he}|ו?[בלמ]${he.replace(/^ה/u, '')}|${en.replace(' ', '[ -]?')})(?![\\p{L}])`,
    'iu',
  ),
}))

function findArea(spoken: string): string | null {
  const found = AREAS.flatMap(({ he, en, pattern }) => {
    const match = pattern.exec(spoken)
    return match
      ? [{ at: match.index, length: match[0].length, name: /\p{Script=Hebrew}/u.test(match[0]) ? he : en }]
      : []
  })
  // The first one named; of two at one spot (רמת השרון, השרון) the longer.
  return found.toSorted((a, b) => a.at - b.at || b.length - a.length)[0]?.name ?? null
}

const POSITIVE =
  /(?<!\p{L})(?:תודה רבה|מצוין|מעולה|נהדר|מושלם|אחלה|great|excellent|perfect|wonderful|thank you (?:so|very) much)(?!\p{L})/giu
const NEGATIVE =
  /(?<!\p{L})(?:לא מרוצ[הי]?|מאוכזב(?:ת|ים)?|גרוע|נורא|תלונה|להתלונן|נמאס|חוצפה|שערורייה|angry|terrible|awful|complain(?:t)?|disappointed|unacceptable|not happy)(?!\p{L})/giu

/** Null when nothing was said in words. */
function findSentiment(spoken: string): CallSummary['sentiment'] {
  if (spoken === '') return null
  const balance = (spoken.match(POSITIVE)?.length ?? 0) - (spoken.match(NEGATIVE)?.length ?? 0)
  return balance > 0 ? 'positive' : balance < 0 ? 'negative' : 'neutral'
}
