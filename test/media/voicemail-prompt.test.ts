import { afterAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { createDatabase } from '../../db/client.ts'
import { createDirectory } from '../../src/domain/businesses/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { createReceptionist } from '../../src/media/reception.ts'
import { createPromptCache } from '../../src/providers/speech/prompts.ts'
import { createTwilioTelephony } from '../../src/providers/telephony/twilio.ts'
import { checkTwiml, parseTwiml } from '../../src/sandbox/carrier/twiml.ts'
import { temporaryDirectory } from '../support/cleanup.ts'

const log = createLogger('silent')
// It is never asked: only the installation's own words are spoken here.
const database = createDatabase('postgres://unknown@127.0.0.1:1/none')
afterAll(() => database.close())

function receptionistWith(synthesize: () => Promise<Uint8Array>) {
  const synthesizer = { version: 'test', synthesize, close: async () => {} }
  return createReceptionist({
    directory: createDirectory(database.db, log),
    prompts: createPromptCache({ dir: join(temporaryDirectory('voicemail-prompt'), 'prompts'), synthesizer, log }),
    defaults: { name: 'Acme', language: 'en' },
    log,
  })
}

describe('a prompt for the carrier', () => {
  test('is played where it can be rendered', async () => {
    const receptionist = receptionistWith(async () => new Uint8Array(800))
    expect(await receptionist.textWithoutSound('default', 'en', 'voicemail')).toBeNull()
  })

  test('is given as text where the voice fails, and where it hangs', async () => {
    for (const synthesize of [() => Promise.reject(new Error('no voice')), () => new Promise<Uint8Array>(() => {})]) {
      const text = await receptionistWith(synthesize).textWithoutSound('default', 'en', 'voicemail')
      expect(text).toContain('you have reached Acme')
      expect(text).toContain('leave a message')
    }
  })

  test('is said by the carrier’s own voice then, without the points that only our voice needs', () => {
    const telephony = createTwilioTelephony({
      accountSid: `AC${'0'.repeat(32)}`,
      authToken: 'x',
      apiBaseUrl: null,
      publicBaseUrl: 'https://voice.example.com',
    })
    const where = { promptUrl: 'https://p/v.wav', actionUrl: 'https://p/a', recordingStatusUrl: 'https://p/r' }
    expect(telephony.voicemail(where)).toContain('<Play>https://p/v.wav</Play><Record ')
    const hebrew = telephony.voicemail({ ...where, spoken: { text: 'שָׁלוֹם & ברוכים', language: 'he' } })
    expect(hebrew).toContain('<Say language="he-IL" voice="Google.he-IL-Standard-A">שלום &amp; ברוכים</Say><Record ')
    const english = telephony.sayGoodbye({ ...where, spoken: { text: 'Goodbye <b>', language: 'en' } })
    expect(english).toContain('<Say language="en-US">Goodbye &lt;b&gt;</Say><Hangup/>')
    for (const document of [hebrew, english]) expect(checkTwiml(parseTwiml(document))).toEqual([])
  })
})
