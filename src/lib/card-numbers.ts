const CANDIDATE = /(?<![\d+])\d(?:[ -]?\d){12,18}(?!\d)/g

/** Masks numbers of payment cards in texts, also deep in a value: the last four digits stay. */
export function maskCards(value: unknown): unknown {
  if (typeof value === 'string') return maskCardsInText(value)
  if (Array.isArray(value)) return value.map(maskCards)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, maskCards(each)]))
  if (typeof value === 'number' && isCard(String(value))) return maskCardsInText(String(value))
  return value
}

export function maskCardsInText(text: string): string {
  return text.replace(CANDIDATE, (found) => {
    const digits = found.replace(/\D/g, '')
    return isCard(digits) ? `•••• ${digits.slice(-4)}` : found
  })
}

/** Whether digits are of a card's length and have its check digit (ISO/IEC 7812-1, Luhn). */
function isCard(digits: string): boolean {
  if (!/^\d{13,19}$/.test(digits)) return false
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 1 ? 2 : 1)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}
