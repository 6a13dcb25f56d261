/**
 * How far the caller's number is vouched for (STIR/SHAKEN): its carrier's level, or `failed` when what it claims did not hold.
 * Null where no carrier attests, as for every call from outside North America.
 * @param stirVerstat as the carrier gives it, e.g. `TN-Validation-Passed-A`, `TN-Validation-Failed-C-Diverted-A`
 */
export function attestationOf(stirVerstat: string | null | undefined): 'A' | 'B' | 'C' | 'failed' | null {
  const found = /^TN-Validation-(Passed|Failed)(?:-([ABC])\b)?/i.exec(stirVerstat?.trim() ?? '')
  if (!found) return null
  if (found[1]?.toLowerCase() === 'failed') return 'failed'
  const level = found[2]?.toUpperCase()
  return level === 'A' || level === 'B' || level === 'C' ? level : null
}
