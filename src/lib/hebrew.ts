/** Vowel points and accents: needed by a voice, in the way of a reader. */
const POINTS = /[\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7]/g

/** A text as people write it: without the points that a synthesizer needs. */
export function stripPoints(text: string): string {
  return text.normalize('NFD').replace(POINTS, '').normalize('NFC')
}
