import { afterAll, expect, test } from 'bun:test'
import { createDecoder } from 'libopus-wasm'
import { BufferSource, EncodedPacketSink, Input, OGG } from 'mediabunny'
import { rmsOfMulaw } from '../../../../src/audio/energy.ts'
import { msOfBytes } from '../../../../src/audio/mulaw.ts'
import { audioSeconds } from '../../../../src/providers/models/audio-length.ts'
import { createEspeakSynthesizer } from '../../../../src/providers/speech/espeak/synthesizer.ts'

const voice = createEspeakSynthesizer()
afterAll(() => voice.close())

/** Milliseconds of a text's audio that are loud. */
const loudMs = (mulaw: Uint8Array) => {
  let ms = 0
  for (let i = 0; i < mulaw.length; i += 80) if (rmsOfMulaw(mulaw.subarray(i, i + 80)) > 300) ms += 10
  return ms
}

test.each([
  ['שָׁלוֹם, הִגַּעְתֶּם לַמִּרְפָּאָה. מַה הַשֵּׁם שֶׁלָּכֶם?', 'he', 2000, 5000],
  ['אני רוצה לקבוע תור למחר', 'he', 1000, 4000],
  ['Hello, you have reached the clinic. What is your name?', 'en', 2000, 5000],
  ['הגעתם אל Acme', 'he', 700, 2500],
  ['You have reached דוד לוי', 'en', 1000, 3500],
  ['054-1234567', 'he', 3000, 9000],
] as const)('%s is spoken: as long and as loud as speech', async (text, language, minMs, maxMs) => {
  const mulaw = await voice.synthesize({ text, language })
  const ms = msOfBytes(mulaw.length)
  expect(ms).toBeGreaterThan(minMs)
  expect(ms).toBeLessThan(maxMs)
  expect(rmsOfMulaw(mulaw)).toBeGreaterThan(1000)
  expect(loudMs(mulaw) / ms).toBeGreaterThan(0.5)
  // It begins at once: what plays first is heard first.
  expect(rmsOfMulaw(mulaw.subarray(0, 1600))).toBeGreaterThan(300)
})

test.each([
  ['שלום, אנחנו פתוחים עד שש בערב. לקבוע לך תור?', 'he'],
  ['We are open until six today. Shall I book you a visit?', 'en'],
] as const)('a voice note of %s is Opus in Ogg, as long and as loud as it is spoken', async (text, language) => {
  const [note, mulaw] = await Promise.all([
    voice.speakVoiceNote({ text, language }),
    voice.synthesize({ text, language }),
  ])
  const seconds = msOfBytes(mulaw.length) / 1_000
  expect(audioSeconds(note)).toBeCloseTo(seconds, 2)
  expect(note.length).toBeLessThan(seconds * 4_500)
  // Read by another's demuxer and libopus.
  const input = new Input({ source: new BufferSource(note), formats: [OGG] })
  const track = await input.getPrimaryAudioTrack()
  if (!track) throw new Error('The file has no track.')
  expect(track).toMatchObject({ codec: 'opus', numberOfChannels: 1 })
  expect(await track.computeDuration()).toBeCloseTo(seconds, 2)
  const decoder = await createDecoder({ channels: 1, sampleRate: 24_000 })
  let sum = 0
  let samples = 0
  for await (const { data } of new EncodedPacketSink(track).packets())
    for (const sample of decoder.decode(data)) {
      sum += sample ** 2
      samples += 1
    }
  decoder.free()
  expect(samples / 24_000).toBeGreaterThan(seconds)
  const loudness = Math.sqrt(sum / samples)
  expect(loudness / rmsOfMulaw(mulaw)).toBeWithin(0.6, 1.4)
})

test('a pause stands where the comma stands', async () => {
  const [joined, parted] = await Promise.all(
    ['תּוֹדָה רַבָּה', 'תּוֹדָה, רַבָּה'].map((text) => voice.synthesize({ text, language: 'he' })),
  )
  expect(msOfBytes(parted?.length ?? 0) - msOfBytes(joined?.length ?? 0)).toBeGreaterThan(100)
})

test('requests at once each get their own audio', async () => {
  const texts = ['one', 'one hundred and twenty', 'one thousand two hundred and thirty four']
  const lengths = (await Promise.all(texts.map((text) => voice.synthesize({ text, language: 'en' })))).map(
    (audio) => audio.length,
  )
  expect([...lengths].sort((a, b) => a - b)).toEqual(lengths)
  expect(new Set(lengths).size).toBe(3)
})

test('what cannot be spoken is refused', async () => {
  await expect(voice.synthesize({ text: ' ... ', language: 'he' })).rejects.toMatchObject({ code: 'nothing_to_say' })
  await expect(voice.synthesize({ text: 'a'.repeat(5000), language: 'en' })).rejects.toMatchObject({
    code: 'text_too_long',
  })
})

test('the main thread stays free while a long text is spoken', async () => {
  const text = 'This is a long sentence that goes on and on for the sake of the test. '.repeat(50)
  let ticks = 0
  const ticker = setInterval(() => ticks++, 5)
  await voice.synthesize({ text, language: 'en' })
  clearInterval(ticker)
  // On this thread nothing else would run meanwhile: one tick or two at its end.
  expect(ticks).toBeGreaterThan(10)
})

const dyingUrl = new URL('../../../support/dying-voice.ts', import.meta.url)

test.each(['exit now', 'throw now'])(
  'a voice that dies ("%s") rejects what waits, and is there again',
  async (text) => {
    const dying = createEspeakSynthesizer({ workerUrl: dyingUrl })
    expect((await dying.synthesize({ text: 'hello', language: 'en' })).length).toBeGreaterThan(1000)
    const waiting = [dying.synthesize({ text, language: 'en' }), dying.synthesize({ text: 'behind', language: 'en' })]
    for (const result of await Promise.allSettled(waiting)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { kind: 'unavailable', code: 'voice_unavailable' } })
    }
    expect((await dying.synthesize({ text: 'hello again', language: 'en' })).length).toBeGreaterThan(1000)
    await dying.close()
  },
)

test('a voice that hangs is given up after its time', async () => {
  const hanging = createEspeakSynthesizer({ workerUrl: dyingUrl, timeoutMs: 6000 })
  await hanging.synthesize({ text: 'warm', language: 'en' })
  await expect(hanging.synthesize({ text: 'hang now', language: 'en' })).rejects.toThrow(
    'did not answer within 6000 ms',
  )
  expect((await hanging.synthesize({ text: 'hello again', language: 'en' })).length).toBeGreaterThan(1000)
  await hanging.close()
})

test('close rejects what waits and refuses what comes', async () => {
  const closing = createEspeakSynthesizer()
  const waiting = Promise.allSettled([closing.synthesize({ text: 'hello', language: 'en' })])
  await closing.close()
  expect(await waiting).toMatchObject([{ status: 'rejected', reason: { code: 'voice_unavailable' } }])
  await expect(closing.synthesize({ text: 'hello', language: 'en' })).rejects.toThrow('closed')
  await closing.close()
})
