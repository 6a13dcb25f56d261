export const AMOUNT_STYLES = ['1,234.50', '1.234,50'] as const
export type AmountStyle = (typeof AMOUNT_STYLES)[number]

/** An amount in agorot; `style` is what its spelling shows of how amounts are written. `ambiguous` could be both. */
export type ReadAmount =
  | { kind: 'amount'; agorot: number; style: AmountStyle | null }
  | { kind: 'ambiguous' }
  | { kind: 'refused'; code: string; reason: string }

const SHEKELS =
  /^(?:₪|ils|nis|ש(?:"|'')?ח|שקל(?:ים)?(?: חדש(?:ים)?)?)\.?\s*|\s*(?:₪|ils|nis|ש(?:"|'')?ח|שקל(?:ים)?(?: חדש(?:ים)?)?)\.?$/gi
const MAX_AGOROT = 1e13

/**
 * Reads an amount in shekels. Without a currency sign `1,234` and `1.234` are `ambiguous`; `style` decides, null leaves it.
 */
export function readAmount(text: string, style: AmountStyle | null): ReadAmount {
  const plain = text
    .normalize('NFKC')
    .replace(/[\p{Cf}]/gu, '')
    .replace(/[״”“]/g, '"')
    .replace(/[׳’](?=[׳’]?ח)/g, "'")
    .trim()
  const bare = plain
    .replace(SHEKELS, '')
    .trim()
    .replace(/[.,]?\s*[-–—]$|[.,]$/, '')
    .replace(/^\+\s*/, '')
  const inShekels = bare !== plain && SHEKELS.test(plain)
  SHEKELS.lastIndex = 0
  if (/[\p{Sc}]|usd|eur|gbp|\$/iu.test(bare))
    return refused('import_currency', 'the amount is in another currency; write it in shekels')
  if (/^[(-]|^\u2212/.test(bare)) return refused('import_negative', 'the amount is negative')
  if (/\d[eE][+-]?\d/.test(bare))
    return refused('import_amount_cut', 'the spreadsheet has cut digits off this amount; format the column as a number')
  const digits = ungroup(bare)
  if (digits === null) return refused('import_amount', 'no amount in shekels; write it as 1234.50')
  return readSeparators(digits, style ?? (inShekels && digits.includes(',') ? '1,234.50' : null))
}

/** Spaces and apostrophes stand between thousands alone. */
function ungroup(text: string): string | null {
  if (/^\d{1,3}(?:[ '’]\d{3})+(?:[.,]\d*)?$/.test(text)) return text.replace(/[ '’]/g, '')
  return /^(?:\d[\d.,]*|[.,]\d+)$/.test(text) ? text : null
}

function readSeparators(text: string, style: AmountStyle | null): ReadAmount {
  const separators = text.replace(/\d/g, '')
  const last = separators.at(-1)
  if (last === undefined) return amount(text, '', null)
  const cut = text.lastIndexOf(last)
  const [whole, fraction] = [text.slice(0, cut), text.slice(cut + 1)]
  const decimal: AmountStyle = last === '.' ? '1,234.50' : '1.234,50'
  const grouped: AmountStyle = last === '.' ? '1.234,50' : '1,234.50'
  if (new Set(separators).size === 2) {
    const other = last === '.' ? ',' : '.'
    if (!isGrouped(whole, other)) return refused('import_amount', 'no amount in shekels; write it as 1234.50')
    return amount(whole.replaceAll(other, ''), fraction, decimal)
  }
  if (separators.length > 1)
    return isGrouped(text, last)
      ? amount(text.replaceAll(last, ''), '', grouped)
      : refused('import_amount', 'no amount in shekels; write it as 1234.50')
  if (fraction.length !== 3 || !/^[1-9]\d{0,2}$/.test(whole)) return amount(whole, fraction, decimal)
  if (style === null) return { kind: 'ambiguous' }
  return style === grouped ? amount(whole + fraction, '', null) : amount(whole, fraction, null)
}

function isGrouped(text: string, separator: string): boolean {
  // Three digits a group; in India two, but for the last.
  const [first = '', ...groups] = text.split(separator)
  const last = groups.pop()
  return (
    /^\d{1,3}$/.test(first) && last?.length === 3 && groups.every((group) => group.length === 3 || group.length === 2)
  )
}

function amount(whole: string, fraction: string, style: AmountStyle | null): ReadAmount {
  const agorot = Math.round(Number(`${whole || '0'}${fraction.padEnd(2, '0').slice(0, 2)}.${fraction.slice(2) || '0'}`))
  return agorot < MAX_AGOROT
    ? { kind: 'amount', agorot, style }
    : refused('import_amount_large', 'the amount is too large')
}

function refused(code: string, reason: string): ReadAmount {
  return { kind: 'refused', code, reason }
}
