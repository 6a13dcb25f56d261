const SMALL =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  )
const TENS = '  twenty thirty forty fifty sixty seventy eighty ninety'.split(' ')

export const ENGLISH_MONTHS =
  'January February March April May June July August September October November December'.split(' ')

/** A whole number from 0 to 999,999,999 in words. */
export function englishNumber(value: number): string {
  if (value < 20) return SMALL[value] ?? ''
  if (value < 100) return `${TENS[Math.floor(value / 10)]}${value % 10 ? ` ${SMALL[value % 10]}` : ''}`
  for (const [size, name] of [
    [1e6, 'million'],
    [1000, 'thousand'],
    [100, 'hundred'],
  ] as const) {
    if (value < size) continue
    const rest = value % size
    const joint = rest > 0 && rest < 100 ? ' and ' : ' '
    return `${englishNumber(Math.floor(value / size))} ${name}${rest ? joint + englishNumber(rest) : ''}`
  }
  return String(value)
}

/** One digit as it is dictated. */
export function englishDigit(digit: string): string {
  return SMALL[Number(digit)] ?? ''
}
