import type { Language } from '../providers/speech/port.ts'

/** Interruption, endpointing and timeouts of a call; data, so that a business can have its own. */
export type TurnOptions = {
  /** Voice shorter than this is a noise: while the agent speaks it neither interrupts nor gets an answer. */
  minSpeechMs: number
  /** A murmur of agreement is at most this long. */
  backchannelMaxMs: number
  backchannels: Record<Language, readonly string[]>
  /** After this long a running tool is bridged by a filler. */
  fillerAfterMs: number
  /** A tool that takes longer has failed. */
  toolTimeoutMs: number
  /** The filler is said at most this often. */
  fillerEveryMs: number
  /** A caller who waits for an answer hears something after this long; the rule is two seconds. */
  deadAirMs: number
  /** This long after the filler the engine is replaced. */
  patienceMs: number
  /** How long an engine may take to be ready when it is tried again. */
  reconnectMs: number
  /** Reminders of the engine to a silent caller before the call ends; no limit when unset. */
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

/** Whether a turn during the agent's speech only means "go on". */
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
