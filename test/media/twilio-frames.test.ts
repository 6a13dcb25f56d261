import { expect, test } from 'bun:test'
import { parseFrame, StreamWriter } from '../../src/media/twilio-frames.ts'

const frame = (value: unknown) => parseFrame(JSON.stringify(value))

test('a media frame is cut out of its text whatever the order and the type of its fields', () => {
  const read = { event: 'media', payload: '/v7+', timestampMs: 140 } as const
  expect(
    frame({
      event: 'media',
      sequenceNumber: '3',
      media: { track: 'inbound', chunk: '1', timestamp: '140', payload: '/v7+' },
    }),
  ).toEqual(read)
  expect(frame({ event: 'media', media: { payload: '/v7+', timestamp: 140 }, streamSid: 'MZ1' })).toEqual(read)
  expect(frame({ media: { timestamp: '140', payload: '/v7+' }, event: 'media' })).toEqual(read)
  expect(parseFrame('{ "event" : "media", "media" : { "payload" : "/v7+", "timestamp" : "140" } }')).toEqual(read)
  // Some senders escape the slash of base64.
  expect(parseFrame('{"event":"media","media":{"timestamp":"140","payload":"\\/v7+"}}')).toEqual(read)
  expect(frame({ event: 'media', media: { payload: '' } })).toEqual({ event: 'media', payload: '', timestampMs: null })
})

test.each([
  '',
  'not json',
  '[]',
  'null',
  '5',
  '"media"',
  '{}',
  '{"event":5}',
  '{"event":null}',
  '{"event":"media"}',
  '{"event":"media","media":{}}',
  '{"event":"media","media":{"payload":5}}',
  '{"event":"media","media":{"payload":"abc","timestamp":"20"',
  '{"event":"media","media":{"payload":"abc',
  '{"event":"start"}',
  '{"event":"start","streamSid":"MZ1","start":{}}',
  '{"event":"start","streamSid":"","start":{"callSid":"CA1"}}',
  '{"event":"start","streamSid":"MZ1","start":{"callSid":"CA1\\u0000"}}',
  '{"event":"start","streamSid":"MZ1","start":{"callSid":"../CA1"}}',
  '{"event":"mark"}',
  '{"event":"mark","mark":{"name":7}}',
  '{"event":"dtmf","dtmf":{"digit":"12"}}',
  '{"event":"dtmf","dtmf":{"digit":""}}',
])('%s is malformed', (text) => {
  expect(parseFrame(text)).toBeNull()
})

test('start carries the parameters; absent ones and an absent format have their defaults', () => {
  expect(
    frame({
      event: 'start',
      sequenceNumber: '1',
      streamSid: 'MZ1',
      start: {
        streamSid: 'MZ1',
        callSid: 'CA1',
        tracks: ['inbound'],
        customParameters: { token: 'x', to: '+972' },
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: '8000', channels: 1 },
      },
    }),
  ).toEqual({
    event: 'start',
    streamSid: 'MZ1',
    callSid: 'CA1',
    parameters: { token: 'x', to: '+972' },
    encoding: 'audio/x-mulaw',
    sampleRate: 8000,
  })
  expect(frame({ event: 'start', streamSid: 'MZ1', start: { callSid: 'CA1' } })).toMatchObject({
    parameters: {},
    encoding: 'audio/x-mulaw',
    sampleRate: 8000,
  })
})

test.each([[-1], ['abc'], [''], [null], [{}], [[]], [true], ['1e9'], ['０']])(
  'side fields that are odd (%p) cost nothing',
  (odd) => {
    expect(
      frame({
        event: 'media',
        sequenceNumber: odd,
        media: { track: odd, chunk: odd, timestamp: odd, payload: 'AAAA' },
      }),
    ).toEqual({
      event: 'media',
      payload: 'AAAA',
      timestampMs: null,
    })
    expect(
      frame({
        event: 'start',
        sequenceNumber: odd,
        streamSid: 'MZ1',
        start: {
          callSid: 'CA1',
          accountSid: odd,
          tracks: odd,
          customParameters: { token: 'x', odd },
          mediaFormat: odd,
          new: odd,
        },
      }),
    ).toMatchObject({ callSid: 'CA1', parameters: { token: 'x' }, encoding: 'audio/x-mulaw', sampleRate: 8000 })
    const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: odd, channels: odd }
    expect(
      frame({ event: 'start', streamSid: 'MZ1', start: { callSid: 'CA1', customParameters: odd, mediaFormat } }),
    ).toMatchObject({
      event: 'start',
      encoding: 'audio/x-mulaw',
    })
    expect(frame({ event: 'mark', sequenceNumber: odd, streamSid: odd, mark: { name: 'm', new: odd } })).toEqual({
      event: 'mark',
      name: 'm',
    })
    expect(frame({ event: 'dtmf', sequenceNumber: odd, dtmf: { track: odd, digit: '0' } })).toEqual({
      event: 'dtmf',
      digit: '0',
    })
    expect(frame({ event: 'stop', stop: odd })).toEqual({ event: 'stop' })
  },
)

test('the other events are read; a kind of tomorrow is no error', () => {
  expect(frame({ event: 'connected', protocol: 'Call' })).toEqual({ event: 'connected' })
  expect(frame({ event: 'stop', stop: { callSid: 'CA1' } })).toEqual({ event: 'stop' })
  expect(frame({ event: 'mark', mark: { name: 'a:1' } })).toEqual({ event: 'mark', name: 'a:1' })
  expect(frame({ event: 'dtmf', dtmf: { track: 'inbound_track', digit: '#' } })).toEqual({ event: 'dtmf', digit: '#' })
  expect(frame({ event: 'tomorrow', data: [1] })).toEqual({ event: 'other', name: 'tomorrow' })
})

test('what is written is what Twilio documents, also for a sid that needs escaping', () => {
  const writer = new StreamWriter('MZ"1')
  expect(JSON.parse(writer.media('AAAA'))).toEqual({ event: 'media', streamSid: 'MZ"1', media: { payload: 'AAAA' } })
  expect(JSON.parse(writer.mark('a"b'))).toEqual({ event: 'mark', streamSid: 'MZ"1', mark: { name: 'a"b' } })
  expect(JSON.parse(writer.clear())).toEqual({ event: 'clear', streamSid: 'MZ"1' })
})
