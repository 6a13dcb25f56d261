/**
 * Numbers that are spelled in two ways for one person: WhatsApp keeps the id under which somebody registered, while the
 * country's numbering plan went on. Each rule maps the old national number to the one that is dialled today, and back.
 */
type Rule = {
  code: string
  /** The old national number as today's; null when it is none. */
  renew(national: string): string | null
  /** Today's national number as the old one; null when it never had one. */
  age(national: string): string | null
  /** Both spellings can be dialled, to different lines of one subscriber's block: neither replaces the other. */
  bothDialled?: true
}

const replace = (pattern: RegExp, by: string) => (national: string) =>
  pattern.test(national) ? national.replace(pattern, by) : null

/** Côte d'Ivoire, 31 January 2021: two digits of the operator in front of a mobile number, told by its second digit. */
const ivorianPrefix = (old: string) => ['01', '01', '01', '01', '05', '05', '05', '07', '07', '07'][Number(old[1])]

const RULES: Rule[] = [
  // Brazil, 2012 to 2016: a ninth digit in front of mobile numbers, which began with 6 to 9.
  {
    code: '55',
    renew: replace(/^([1-9]{2})([6-9]\d{7})$/, '$19$2'),
    age: replace(/^([1-9]{2})9([6-9]\d{7})$/, '$1$2'),
  },
  // Mexico, August 2019: no 1 any more between country and mobile number.
  { code: '52', renew: replace(/^1([2-9]\d{9})$/, '$1'), age: replace(/^([2-9]\d{9})$/, '1$1') },
  // Argentina: a 9 between country and area for mobiles, called from abroad; people leave it out.
  {
    code: '54',
    renew: replace(/^([123]\d{9})$/, '9$1'),
    age: replace(/^9([123]\d{9})$/, '$1'),
    bothDialled: true,
  },
  // Benin, 30 November 2024: 01 in front of every number.
  { code: '229', renew: replace(/^([2-9]\d{7})$/, '01$1'), age: replace(/^01([2-9]\d{7})$/, '$1') },
  {
    code: '225',
    renew: (national) => (/^[04-9]\d{7}$/.test(national) ? `${ivorianPrefix(national)}${national}` : null),
    age(national) {
      const old = /^0[157]([04-9]\d{7})$/.exec(national)?.[1]
      return old && ivorianPrefix(old) === national.slice(0, 2) ? old : null
    },
  },
]

/** Palestinian mobiles are reached under both country codes: at home and in Israel they are written 056 and 059. */
const UNDER_ISRAEL = /^\+972(?=5[69]\d{7}$)/
const PALESTINIAN_MOBILE = /^\+970(?=5[69]\d{7}$)/

function ruleOf(e164: string): { rule: Rule; national: string } | null {
  const rule = RULES.find(({ code }) => e164.startsWith(`+${code}`))
  return rule ? { rule, national: e164.slice(rule.code.length + 1) } : null
}

/** The number as it is dialled today: an old spelling that nothing else answers to any more is replaced. */
export function dialledToday(e164: string): string {
  const found = ruleOf(e164)
  const renewed = found && !found.rule.bothDialled ? found.rule.renew(found.national) : null
  return found && renewed ? `+${found.rule.code}${renewed}` : e164
}

/** The one spelling that stands for a person, whichever of theirs is given. Idempotent. */
export function canonicalPhone(e164: string): string {
  if (UNDER_ISRAEL.test(e164)) return e164.replace(UNDER_ISRAEL, '+970')
  const found = ruleOf(e164)
  const renewed = found?.rule.renew(found.national)
  return found && renewed ? `+${found.rule.code}${renewed}` : e164
}

/** Every spelling that is the same person, the canonical one first. The same set for each of them. */
export function phoneVariants(e164: string): [string, ...string[]] {
  const canonical = canonicalPhone(e164)
  if (PALESTINIAN_MOBILE.test(canonical)) return [canonical, canonical.replace(PALESTINIAN_MOBILE, '+972')]
  const found = ruleOf(canonical)
  const old = found?.rule.age(found.national)
  return found && old ? [canonical, `+${found.rule.code}${old}`] : [canonical]
}

/** Whether two numbers in E.164 are one person's. */
export function isSamePhone(a: string, b: string): boolean {
  return canonicalPhone(a) === canonicalPhone(b)
}
