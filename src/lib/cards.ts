const CANDIDATE = /(?<![\d+])\d(?:[ \-.]?\d){12,18}(?!\d)/g
/** Ranges of the card schemes (ISO/IEC 7812) with their lengths: other long numbers pass the check digit too. */
const SCHEMES = [
  /^4(\d{12}|\d{15}|\d{18})$/,
  /^5[1-5]\d{14}$/,
  /^2(22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}$/,
  /^3[47]\d{13}$/,
  /^3(0[0-5]|[689]\d)\d{11}$/,
  /^35(2[89]|[3-8]\d)\d{12}$/,
  /^6(011|4[4-9]\d|5\d\d|2\d\d)\d{12}(\d{3})?$/,
]

/** Replaces the numbers of payment cards. */
export function redactCards(text: string): string {
  return text.replace(CANDIDATE, (found) => (isCard(found.replace(/\D/g, '')) ? '[card number removed]' : found))
}

function isCard(digits: string): boolean {
  return SCHEMES.some((scheme) => scheme.test(digits)) && passesCheck(digits)
}

/** The Luhn algorithm. */
function passesCheck(digits: string): boolean {
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i])
    const doubled = i % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
