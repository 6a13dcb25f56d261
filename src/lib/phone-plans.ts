/** Old and new spellings: WhatsApp keeps the registered number after a numbering plan changed. Rules map both ways. */
type Rule = {
  code: string
  /** The current number of an old one; null when it is not an old number. */
  renew(national: string): string | null
  /** The old number of a current one; null when there was none. */
  age(national: string): string | null
  /** Both spellings can be dialled: neither replaces the other. */
  bothDialled?: true
}

const replace = (pattern: RegExp, by: string) => (national: string) =>
  pattern.test(national) ? national.replace(pattern, by) : null

/** Côte d'Ivoire, 31 January 2021: two digits of the operator before a mobile number, derived from its second digit. */
const ivorianPrefix = (old: string) => ['01', '01', '01', '01', '05', '05', '05', '07', '07', '07'][Number(old[1])]

const RULES: Rule[] = [
  // Brazil, 2012 to 2016: a ninth digit before mobile numbers, which began with 6 to 9.
  {
    code: '55',
    renew: replace(/^([1-9]{2})([6-9]\d{7})$/, '$19$2'),
    age: replace(/^([1-9]{2})9([6-9]\d{7})$/, '$1$2'),
  },
  // Mexico, August 2019: the 1 between country code and mobile number was removed.
  { code: '52', renew: replace(/^1([2-9]\d{9})$/, '$1'), age: replace(/^([2-9]\d{9})$/, '1$1') },
  // Argentina: a 9 between country and area code for mobiles called from abroad; people often omit it.
  {
    code: '54',
    renew: replace(/^([123]\d{9})$/, '9$1'),
    age: replace(/^9([123]\d{9})$/, '$1'),
    bothDialled: true,
  },
  // Benin, 30 November 2024: 01 before every number.
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

/** Palestinian mobiles (056, 059) are reached with either country code. */
const UNDER_ISRAEL = /^\+972(?=5[69]\d{7}$)/
const PALESTINIAN_MOBILE = /^\+970(?=5[69]\d{7}$)/

function ruleOf(e164: string): { rule: Rule; national: string } | null {
  const rule = RULES.find(({ code }) => e164.startsWith(`+${code}`))
  return rule ? { rule, national: e164.slice(rule.code.length + 1) } : null
}

export function dialledToday(e164: string): string {
  const found = ruleOf(e164)
  const renewed = found && !found.rule.bothDialled ? found.rule.renew(found.national) : null
  return found && renewed ? `+${found.rule.code}${renewed}` : e164
}

/** The canonical spelling of a person's number, from any of its spellings. Idempotent. */
export function canonicalPhone(e164: string): string {
  if (UNDER_ISRAEL.test(e164)) return e164.replace(UNDER_ISRAEL, '+970')
  const found = ruleOf(e164)
  const renewed = found?.rule.renew(found.national)
  return found && renewed ? `+${found.rule.code}${renewed}` : e164
}

/** Every spelling of a person's number, the canonical one first. The same set for each spelling. */
export function phoneVariants(e164: string): [string, ...string[]] {
  const canonical = canonicalPhone(e164)
  if (PALESTINIAN_MOBILE.test(canonical)) return [canonical, canonical.replace(PALESTINIAN_MOBILE, '+972')]
  const found = ruleOf(canonical)
  const old = found?.rule.age(found.national)
  return found && old ? [canonical, `+${found.rule.code}${old}`] : [canonical]
}

export function isSamePhone(a: string, b: string): boolean {
  return canonicalPhone(a) === canonicalPhone(b)
}
