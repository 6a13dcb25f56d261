/**
 * The carrier's STIR/SHAKEN level of the caller's number, or `failed`; null without attestation, as outside North America.
 */
export function attestationOf(stirVerstat: string | null | undefined): 'A' | 'B' | 'C' | 'failed' | null {
  const found = /^TN-Validation-(Passed|Failed)(?:-([ABC])\b)?/i.exec(stirVerstat?.trim() ?? '')
  if (!found) return null
  if (found[1]?.toLowerCase() === 'failed') return 'failed'
  const level = found[2]?.toUpperCase()
  return level === 'A' || level === 'B' || level === 'C' ? level : null
}
