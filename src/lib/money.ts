/** Minor units as the decimal that providers expect: 7900 becomes `79.00`. */
export function toDecimal(minor: number): string {
  const digits = String(minor).padStart(3, '0')
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** A decimal with up to two places as minor units; null when it is invalid. */
export function fromDecimal(decimal: string): number | null {
  const match = /^(\d{1,13})(?:\.(\d{1,2}))?$/.exec(decimal)
  return match ? Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0')) : null
}
