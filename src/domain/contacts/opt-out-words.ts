import { stripPoints } from '../../lib/hebrew.ts'

/**
 * Whole-message consent words (Israel's Communications Law, 30A; Twilio's keywords), less those that mean an appointment.
 */
const STOP = new Set([
  'הסר',
  'הסירו',
  'הסירי',
  'הסרה',
  'להסיר',
  'תסירו',
  'תסיר',
  'הסר אותי',
  'הסירו אותי',
  'תסיר אותי',
  'תסירו אותי',
  'עצור',
  'עצרו',
  'stop',
  'stopall',
  'stop all',
  'unsubscribe',
  'optout',
  'opt out',
  'remove me',
])
const START = new Set(['התחל', 'התחילו', 'הצטרף', 'הצטרפות', 'start', 'unstop', 'subscribe', 'optin', 'opt in'])

/** Whether a message as a whole asks to be written to no more, or again; null is any other message. */
export function readConsentWord(text: string): { optedOut: boolean; language: 'he' | 'en' } | null {
  if (text.length > 40) return null
  const words = stripPoints(text)
    .toLowerCase()
    .replace(/[^\p{Letter}]+/gu, ' ')
    .trim()
  if (!STOP.has(words) && !START.has(words)) return null
  return { optedOut: STOP.has(words), language: /[א-ת]/.test(words) ? 'he' : 'en' }
}
