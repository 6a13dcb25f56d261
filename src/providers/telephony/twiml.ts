import VoiceResponse from 'twilio/lib/twiml/VoiceResponse'
import { xmlCharacters } from '../../lib/escape/markup.ts'
import { stripPoints } from '../../lib/hebrew.ts'
import type { Prompt, Telephony } from './port.ts'

const VOICEMAIL_SECONDS = 300
/** How long a person's telephone rings. */
const DIAL_SECONDS = 20

type Documents = Pick<
  Telephony,
  'connectStream' | 'voicemail' | 'sayGoodbye' | 'hangUp' | 'dialPerson' | 'playPrompt' | 'askForKey' | 'sayText'
>
/** How long a key is waited for after the text, in seconds. */
const KEY_SECONDS = 8

/** The documents that answer Twilio's webhooks; they depend on no account. Source: Twilio's TwiML pages. */
export const twiml: Documents = {
  connectStream({ streamUrl, actionUrl, statusCallbackUrl, parameters }) {
    const response = new VoiceResponse()
    const stream = response
      .connect({ action: actionUrl })
      .stream({ url: streamUrl, statusCallback: statusCallbackUrl, statusCallbackMethod: 'POST' })
    for (const [name, value] of Object.entries(parameters)) stream.parameter({ name, value })
    return xmlCharacters(response.toString())
  },
  voicemail({ actionUrl, recordingStatusUrl, ...prompt }) {
    const response = new VoiceResponse()
    addPrompt(response, prompt)
    response.record({
      action: actionUrl,
      method: 'POST',
      maxLength: VOICEMAIL_SECONDS,
      timeout: 5,
      finishOnKey: '#',
      playBeep: true,
      trim: 'trim-silence',
      recordingStatusCallback: recordingStatusUrl,
      recordingStatusCallbackMethod: 'POST',
      recordingStatusCallbackEvent: ['completed', 'absent'],
    })
    return xmlCharacters(response.toString())
  },
  sayGoodbye(prompt) {
    const response = new VoiceResponse()
    addPrompt(response, prompt)
    response.hangup()
    return xmlCharacters(response.toString())
  },
  hangUp() {
    const response = new VoiceResponse()
    response.hangup()
    return xmlCharacters(response.toString())
  },
  dialPerson({ number, callerId, whisperUrl, actionUrl }) {
    const response = new VoiceResponse()
    response
      .dial({
        answerOnBridge: true,
        timeout: DIAL_SECONDS,
        action: actionUrl,
        method: 'POST',
        ...(callerId ? { callerId } : {}),
      })
      .number({ url: whisperUrl, method: 'POST' }, xmlCharacters(number))
    return xmlCharacters(response.toString())
  },
  playPrompt({ promptUrl }) {
    const response = new VoiceResponse()
    response.play(promptUrl)
    return xmlCharacters(response.toString())
  },
  askForKey({ text, ask, language, actionUrl }) {
    const response = new VoiceResponse()
    for (let time = 0; time < 2; time++) {
      const gather = response.gather({
        input: ['dtmf'],
        numDigits: 1,
        timeout: KEY_SECONDS,
        action: actionUrl,
        method: 'POST',
      })
      gather.say(voiceOf(language), spokenText(text, language))
      gather.say(voiceOf(language), spokenText(ask, language))
    }
    response.hangup()
    return xmlCharacters(response.toString())
  },
  sayText({ text, language }) {
    const response = new VoiceResponse()
    response.say(voiceOf(language), spokenText(text, language))
    response.hangup()
    return xmlCharacters(response.toString())
  },
}

function voiceOf(language: 'he' | 'en') {
  return language === 'he'
    ? { language: 'he-IL' as const, voice: 'Google.he-IL-Standard-A' as const }
    : { language: 'en-US' as const }
}

function spokenText(text: string, language: 'he' | 'en'): string {
  return xmlCharacters(language === 'he' ? stripPoints(text) : text)
}

function addPrompt(response: VoiceResponse, { promptUrl, spoken }: Prompt): void {
  if (!spoken) response.play(promptUrl)
  else response.say(voiceOf(spoken.language), spokenText(spoken.text, spoken.language))
}
