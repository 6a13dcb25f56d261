import type { Language } from '../providers/speech/port.ts'

/** When a caller interrupts, and how long things may take; data, so that a business can be given other manners. */
export type TurnOptions = {
  /** Voice shorter than this is a noise: it neither interrupts nor wants an answer while the agent speaks. */
  minSpeechMs: number
  /** A murmur of agreement is at most this long. */
  backchannelMaxMs: number
  backchannels: Record<Language, readonly string[]>
  /** A tool that takes longer is bridged by a spoken filler. */
  fillerAfterMs: number
  /** A tool that takes longer has failed. */
  toolTimeoutMs: number
  /** The filler is said at most this often. */
  fillerEveryMs: number
  /** A caller who waits for words, theirs spoken or a response due, hears something after this long; the rule is two seconds. */
  deadAirMs: number
  /** So long after that the engine is replaced. */
  patienceMs: number
  /** How long an engine that is tried again may take until it is ready. */
  reconnectMs: number
  /** How often the engine may ask a silent caller again before the call ends; without a limit where it is not given. */
  maxReminders?: number
}

export const DEFAULT_POLICY: TurnOptions = {
  minSpeechMs: 120,
  backchannelMaxMs: 1_200,
  backchannels: {
    he: ['אהה', 'אה', 'אמ', 'אממ', 'מממ', 'ממ', 'הממ', 'כן', 'כן כן', 'אוקיי', 'אוקי', 'בסדר', 'נכון', 'טוב', 'יופי'],
    en: [
      'mm',
      'mhm',
      'mmhm',
      'mm-hm',
      'mm hm',
      'uh-huh',
      'uh huh',
      'uhuh',
      'hm',
      'hmm',
      'yeah',
      'yes',
      'ok',
      'okay',
      'right',
      'sure',
      'i see',
      'aha',
      'ah',
    ],
  },
  fillerAfterMs: 900,
  toolTimeoutMs: 8_000,
  fillerEveryMs: 6_000,
  deadAirMs: 1_600,
  patienceMs: 1_900,
  reconnectMs: 3_000,
  maxReminders: 2,
}

/** Whether what was said while the agent spoke only says "go on". */
export function isBackchannel(policy: TurnOptions, language: Language, text: string, ms: number): boolean {
  if (ms > policy.backchannelMaxMs) return false
  const words = text
    .toLowerCase()
    .replace(/[\u0591-\u05c7]/g, '')
    .replace(/[^\p{L}\p{N}\s-]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return words !== '' && policy.backchannels[language].includes(words)
}
