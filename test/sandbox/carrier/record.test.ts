import { afterEach, describe, expect, test } from 'bun:test'
import twilio from 'twilio'
import { concatBytes, mulawSilence } from '../../../src/audio/mulaw.ts'
import { findVoice, readTelephoneWav, writeTelephoneWav } from '../../../src/sandbox/carrier/audio.ts'
import { type PlaceCall, placeCall } from '../../../src/sandbox/carrier/caller.ts'
import type { Carrier } from '../../../src/sandbox/carrier/server.ts'
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  noContent,
  startTestApp,
  startTestCarrier,
  type TestApp,
  twiml,
  until,
  voice,
} from './support.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

/** A voicemail: prompt, beep, recording. */
function startVoicemail(record: string): { app: TestApp; carrier: Carrier } {
  const app: TestApp = startTestApp({
    routes: {
      '/voice': () =>
        twiml(
          `<Play>${app.url}/prompt.wav</Play><Record action="${app.url}/recorded" recordingStatusCallback="${app.url}/ready" recordingStatusCallbackEvent="completed absent" ${record}/><Say>nothing heard</Say>`,
        ),
      '/prompt.wav': () => new Response(writeTelephoneWav(voice(200)), { headers: { 'Content-Type': 'audio/wav' } }),
      '/recorded': () => twiml('<Hangup/>'),
      '/ready': noContent,
    },
  })
  const carrier = startTestCarrier({ recordingDelayMs: 100 })
  stops.push(app.stop, carrier.close)
  return { app, carrier }
}

const call = (app: TestApp, carrier: Carrier, script: PlaceCall['script']) =>
  placeCall({
    carrier,
    webhookUrl: `${app.url}/voice`,
    from: '+972501110000',
    to: '+97231110000',
    maxSeconds: 8,
    ...(script ? { script } : {}),
  })

const fetchFile = (carrier: Carrier, url: string, auth = true): Promise<Response> =>
  fetch(url, auth ? { headers: { Authorization: `Basic ${btoa(`${ACCOUNT_SID}:${carrier.authToken}`)}` } } : {})

describe('<Record>', () => {
  test('plays the prompt and the beep, records until silence, and the file can be had when it is ready', async () => {
    const { app, carrier } = startVoicemail('timeout="1" maxLength="10"')
    const said = concatBytes([mulawSilence(100), voice(900)])
    const report = await call(app, carrier, [{ say: said, quietMs: 500 }])
    expect(report.recordings).toEqual([expect.objectContaining({ durationSeconds: 1, endedBy: 'silence' })])
    // The prompt of 200 ms and the beep of 400 ms.
    expect(report.heardMs).toBe(600)
    expect(app.to('/prompt.wav')[0]?.valid).toBe(true)
    const [action] = app.to('/recorded')
    expect(action?.valid).toBe(true)
    const sid = report.recordings[0]?.sid ?? ''
    const url = `${carrier.url}/2010-04-01/Accounts/${ACCOUNT_SID}/Recordings/${sid}`
    expect(action?.params).toMatchObject({
      RecordingSid: sid,
      RecordingUrl: url,
      RecordingDuration: '1',
      CallStatus: 'in-progress',
    })
    expect(action?.params.Digits).toBeUndefined()

    const client = twilio(ACCOUNT_SID, AUTH_TOKEN)
    client.api.baseUrl = carrier.url
    const status = await client.recordings(sid).fetch()
    // Until it is ready there is no file; on a slow machine it is ready by now.
    const early = await fetchFile(carrier, `${url}.wav`)
    if (app.to('/ready').length === 0)
      expect([status.callSid, status.status, early.status]).toEqual([report.callSid, 'processing', 404])
    await until(() => app.to('/ready').length === 1)
    expect(app.to('/ready')[0]).toMatchObject({
      valid: true,
      params: {
        CallSid: report.callSid,
        RecordingSid: sid,
        RecordingUrl: url,
        RecordingStatus: 'completed',
        RecordingDuration: '1',
        RecordingChannels: '1',
        RecordingSource: 'RecordVerb',
      },
    })
    expect(await client.recordings(sid).fetch()).toMatchObject({ status: 'completed', duration: '1', channels: 1 })
    expect((await client.calls(report.callSid).recordings.list()).map((each) => each.sid)).toEqual([sid])
    const file = await fetchFile(carrier, `${url}.wav`)
    expect([file.status, file.headers.get('content-type')]).toEqual([200, 'audio/x-wav'])
    const audio = readTelephoneWav(await file.bytes())
    // Silence is trimmed off both ends, to the frame.
    expect(audio?.length).toBe(900 * 8)
    expect(findVoice(audio ?? new Uint8Array())).toEqual({ start: 0, end: 900 * 8 })
    expect((await fetchFile(carrier, `${url}.wav`, false)).status).toBe(401)
    expect((await fetchFile(carrier, `${url}.wav?RequestedChannels=2`)).status).toBe(400)
    expect((await fetchFile(carrier, `${url}.mp3`)).status).toBe(404)
    expect(await client.recordings(sid).remove()).toBe(true)
    expect((await fetchFile(carrier, `${url}.wav`)).status).toBe(404)
  })

  test('ends with a key', async () => {
    const { app, carrier } = startVoicemail('finishOnKey="#"')
    const report = await call(app, carrier, [
      { say: voice(300), quietMs: 500 },
      { dtmf: '1#', when: 'now' },
    ])
    expect(report.recordings[0]?.endedBy).toBe('key')
    expect(app.to('/recorded')[0]?.params.Digits).toBe('#')
  })

  test('ends with a hang-up: the action is asked with Digits=hangup, its answer thrown away', async () => {
    const { app, carrier } = startVoicemail('timeout="5"')
    const report = await call(app, carrier, [{ say: voice(300), quietMs: 500 }, { hangup: true }])
    expect(report.recordings[0]?.endedBy).toBe('hangup')
    expect(app.to('/recorded')[0]?.params).toMatchObject({ Digits: 'hangup', CallStatus: 'completed' })
    expect(report.ended.by).toBe('caller')
    expect(report.documents.at(-1)?.followed).toBe(false)
  })

  test('ends at its maximum length', async () => {
    const { app, carrier } = startVoicemail('maxLength="1"')
    const report = await call(app, carrier, [{ say: voice(3000), quietMs: 500 }])
    expect(report.recordings[0]).toMatchObject({ endedBy: 'max_length', durationSeconds: 1 })
  })

  test('of nothing falls through to the next verb and is reported absent', async () => {
    const { app, carrier } = startVoicemail('timeout="1"')
    const report = await call(app, carrier, [])
    expect(report.recordings).toEqual([])
    expect(app.to('/recorded')).toEqual([])
    expect(app.to('/ready').map((each) => each.params.RecordingStatus)).toEqual(['absent'])
    expect(report.said.map((each) => each.text)).toEqual(['nothing heard'])
  })
})

test('WAV files of other rates and channels become telephone audio', () => {
  const file = new Uint8Array(44 + 16_000 * 4)
  file.set(writeTelephoneWav(new Uint8Array()))
  const view = new DataView(file.buffer)
  view.setUint16(22, 2, true)
  view.setUint32(24, 16_000, true)
  view.setUint32(40, 16_000 * 4, true)
  for (let i = 0; i < 16_000; i += 1) view.setInt16(44 + i * 4, Math.sin(i / 10) * 9000, true)
  const audio = readTelephoneWav(file)
  expect(audio?.length).toBe(8000)
  expect(findVoice(audio ?? new Uint8Array())).toEqual({ start: 0, end: 8000 })
  expect(readTelephoneWav(new Uint8Array(100))).toBeNull()
})
