// This product's call path with everything on: signatures, tokens, ledger, recorder, metrics, turn policy. What goes to the
// queue and the database is counted here and dropped: it is not on the audio path.

import { verifyStreamToken } from '../../src/domain/calls/index.ts'
import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { createFileSpool } from '../../src/media/audio-spool.ts'
import { createFileTraceWriters } from '../../src/media/call-trace-writer.ts'
import { systemClock } from '../../src/media/clock.ts'
import { DEFAULT_LIMITS } from '../../src/media/media-session-ports.ts'
import { createMediaSocket } from '../../src/media/socket.ts'
import { createRealtimeEngine } from '../../src/providers/speech/openai-realtime/engine.ts'
import { createTwilioTelephony } from '../../src/providers/telephony/twilio.ts'

const [engineUrl = '', secret = '', authToken = '', recordsDir = '', publicBaseUrl = ''] = process.argv.slice(2)
const log = createLogger('silent')
const telephony = createTwilioTelephony({ accountSid: 'AC', authToken, apiBaseUrl: null, publicBaseUrl })
const recorders = createFileTraceWriters({ dir: recordsDir, log })
const script = intakeScript({ language: 'en', businessName: 'Bench' })
const greeting = new Uint8Array(4_000).fill(0x40)
const media = createMediaSocket({
  log,
  verifyUpgrade: (path, signature) => (telephony.verifyUpgrade(path, signature) ? { only: null } : null),
  session: {
    engine: createRealtimeEngine({ apiKey: 'bench', url: engineUrl, model: 'gpt-realtime-2.1' }),
    log,
    limits: DEFAULT_LIMITS,
    clock: systemClock,
    audioSpool: createFileSpool(recordsDir, log),
    openTrace: (callSid) => recorders.open(callSid),
    verifyToken: (token, callSid) => verifyStreamToken(secret, token, callSid),
    reception: () => ({
      script,
      greeting,
      renderGreeting: async () => greeting,
      instructions: 'Answer the telephone.',
    }),
    events: { claim: async () => true, turn: () => {}, lead: () => {}, end: async () => {} },
  },
})
const server = Bun.serve<Parameters<NonNullable<typeof media.handlers.open>>[0]['data']>({
  port: 0,
  hostname: '127.0.0.1',
  fetch: (request, self) => media.upgrade(request, self) ?? undefined,
  websocket: media.handlers,
})

process.on('message', () => process.send?.({ cpu: process.cpuUsage(), rss: process.memoryUsage.rss() }))
process.send?.({ port: server.port })
