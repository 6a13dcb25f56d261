/** Vowel points and accents: only speech synthesis needs them. */
const POINTS = /[\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7]/g

export function stripPoints(text: string): string {
  return text.normalize('NFD').replace(POINTS, '').normalize('NFC')
}
