import { makeTone } from './audio.ts'
import { type CallContext, type LoadedDocument, loadDocument, sleepUnless } from './call-context.ts'
import type { TwimlElement } from './twiml.ts'

/** Reading speed of `<Say>`, ms per character: some 15 characters a second. */
const MS_PER_CHARACTER = 65
const LOOK_MS = 20
const DEFAULT_SECONDS = 5

/**
 * Runs `<Gather input="dtmf">` (Twilio, TwiML <Gather>): what is nested is played until a key is pressed, then keys are waited
 * for. @returns the document of `action`; null when no key came, so that the call goes on with the next verb
 */
export async function runGather(
  context: CallContext,
  element: TwimlElement,
  base: string | null,
): Promise<LoadedDocument | null> {
  const { line, log, interrupt } = context
  const { attributes } = element
  const wanted = Number(attributes.numDigits ?? Number.POSITIVE_INFINITY)
  const finish = attributes.finishOnKey ?? '#'
  let digits = ''
  let finished = false
  line.connect({
    frame: () => {},
    key: (digit) => {
      if (digit === finish && wanted !== 1) finished = true
      else digits += digit
      if (digits.length >= wanted) finished = true
    },
  })
  try {
    for (const verb of element.children) {
      if (digits !== '' || finished || interrupt.cause !== null) break
      if (verb.name !== 'Say') continue
      const text = verb.text.trim()
      log.said.push({ atMs: Math.round(line.now()), text, language: verb.attributes.language ?? null })
      line.hear(makeTone(220, Math.max(200, text.length * MS_PER_CHARACTER), 2000))
      while (line.playback.bufferedMs(line.now()) > 0 && digits === '' && interrupt.cause === null)
        await sleepUnless(interrupt.signal, LOOK_MS)
    }
    // A key stops what is being said.
    line.playback.clear(line.now())
    const until = line.now() + Number(attributes.timeout ?? DEFAULT_SECONDS) * 1_000
    while (!finished && line.now() < until && interrupt.cause === null) await sleepUnless(interrupt.signal, LOOK_MS)
  } finally {
    line.connect(null)
  }
  const action = attributes.action ?? base
  if (digits === '' || action === null || interrupt.cause !== null) return null
  const method = attributes.method === 'GET' ? 'GET' : 'POST'
  const params = { Digits: digits, msg: 'Gather End', ...(finished ? { FinishedOnKey: '' } : {}) }
  return await loadDocument(context, 'gather_action', action, { base, method, params })
}
