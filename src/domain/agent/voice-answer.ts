import { errorMessage } from '../../lib/errors.ts'
import type { VoiceNoteSpeaker } from '../../providers/speech/port.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import type { BusinessContext } from '../context.ts'
import { storeUpload, type UploadLinks } from '../messages/index.ts'
import type { AgentReply } from './record.ts'
import type { Situation } from './situation.ts'

export type VoiceAnswerDeps = {
  speaker: Pick<VoiceNoteSpeaker, 'speakVoiceNote'>
  storage: ObjectStorage
  links: UploadLinks
}

/** About 45 seconds of speech. */
const LONGEST = 600
/** More numbers than a listener remembers. */
const MOST_NUMBERS = 4
const MOST_LINES = 5
const LINK =
  /https?:\/\/|www\.|\S@\S+\.\p{L}{2}|(?<![\p{L}\d])[a-z0-9-]+\.(?:com|net|org|io|il|co|info|biz|me|app|link|ly|gl|site|online|shop)(?![\p{L}\d])/iu
/** A phone number, an account, an order: what people copy. */
const LONG_NUMBER = /\d(?:[ -]?\d){6,}/
const NUMBER = /\d+(?:[.,:/]\d+)*/g
const LIST = /^\s*(?:[-•*]|\d+[.)])\s+/

/** Whether a text is for the ear: short, without links, numbers to copy or lists. */
export function isForListening(text: string): boolean {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return (
    text.length <= LONGEST &&
    lines.length <= MOST_LINES &&
    lines.filter((line) => LIST.test(line)).length < 2 &&
    !LINK.test(text) &&
    !LONG_NUMBER.test(text) &&
    (text.match(NUMBER) ?? []).length <= MOST_NUMBERS
  )
}

/** Whether a voice note that was understood asked last, and the business answers those by voice. */
function isAskedByVoice({ settings, burst }: Situation): boolean {
  if (!settings.answersByVoice) return false
  return burst.at(-1)?.files.some(({ kind, transcript }) => kind === 'voice' && transcript) ?? false
}

/**
 * Makes the voice note of an answer, with the text as its transcript; null where the text is sent: it was asked in writing, it is
 * not for the ear, has pictures, or the voice note could not be made.
 */
export async function makeVoiceAnswer(
  ctx: BusinessContext,
  situation: Situation,
  { text, language, pictures = [] }: AgentReply,
  deps: VoiceAnswerDeps | undefined,
): Promise<{ url: string; voice: true; transcript: string } | null> {
  if (!deps || !isAskedByVoice(situation) || pictures.length > 0 || !isForListening(text)) return null
  try {
    const data = await deps.speaker.speakVoiceNote({ text: spokenForm(text), language })
    const file = { data, contentType: 'audio/ogg; codecs=opus', fileName: null, voice: true }
    // What is not sent is deleted within a day, as every upload.
    const { url } = await storeUpload(ctx, file, deps)
    return { url, voice: true, transcript: text }
  } catch (error) {
    ctx.log.warn({ error: errorMessage(error) }, 'a voice note could not be made; the answer is sent as text')
    return null
  }
}

/** Without the marks of WhatsApp's formatting and pictures, which would be read out. */
const spokenForm = (text: string) => text.replace(/[*_~`]+/g, '').replace(/\p{Extended_Pictographic}\uFE0F?/gu, '')
