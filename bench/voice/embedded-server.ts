// Calls on the embedded engine, and beside them calls that are relayed, in one process: what the first do to the second.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { verifyStreamToken } from '../../src/domain/calls/index.ts'
import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { createFileTraceWriters } from '../../src/media/call-trace-writer.ts'
import { systemClock } from '../../src/media/clock.ts'
import { DEFAULT_LIMITS, type SessionEnd } from '../../src/media/media-session-ports.ts'
import { createMediaSocket, type MediaSocketData } from '../../src/media/socket.ts'
import { createEmbeddedEngine } from '../../src/providers/speech/embedded/engine.ts'
import { createEspeakSynthesizer } from '../../src/providers/speech/espeak/synthesizer.ts'
import { createRealtimeEngine } from '../../src/providers/speech/openai-realtime/engine.ts'
import type { SpeechEngine } from '../../src/providers/speech/port.ts'
import { createPromptCache } from '../../src/providers/speech/prompts.ts'

const [engineUrl = '', secret = '', dir = ''] = process.argv.slice(2)
const log = createLogger('silent')
const prompts = createPromptCache({ dir, synthesizer: createEspeakSynthesizer() })
const recorders = createFileTraceWriters({ dir, log })
const short = intakeScript({ language: 'he', businessName: 'Bench' })
// Enough questions for as long as anybody measures.
const script = { ...short, questions: Array.from({ length: 20 }, () => short.questions).flat() }
for (const text of [short.greeting, short.reprompt, short.oneMoment, ...short.questions.map(({ prompt }) => prompt)])
  await prompts.render(text, 'he')
const greeting = await prompts.render(short.greeting, 'he')

const ends: SessionEnd[] = []
let heardTurns = 0

function serve(engine: SpeechEngine): number {
  const media = createMediaSocket({
    log,
    verifyUpgrade: () => ({ only: null }),
    session: {
      engine,
      log,
      limits: DEFAULT_LIMITS,
      clock: systemClock,
      openTrace: (callSid) => recorders.open(callSid),
      verifyToken: (token, callSid) => verifyStreamToken(secret, token, callSid),
      reception: () => ({ script, greeting, renderGreeting: async () => greeting }),
      events: {
        claim: async () => true,
        turn(_, turn) {
          if (turn.role === 'caller') heardTurns++
        },
        lead() {},
        async end(_, end) {
          if (engine.name === 'embedded') ends.push(end)
        },
      },
    },
  })
  const server = Bun.serve<MediaSocketData>({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, self) => media.upgrade(request, self) ?? undefined,
    websocket: media.handlers,
  })
  return server.port ?? 0
}

const port = serve(createRealtimeEngine({ apiKey: 'bench', url: engineUrl, model: 'gpt-realtime-2.1' }))
const embeddedPort = serve(createEmbeddedEngine({ prompts }))
const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
process.on('message', () => {
  process.send?.({
    cpu: process.cpuUsage(),
    rss: process.memoryUsage.rss(),
    ends: ends.map((end) => ({ reason: end.reason, metrics: end.metrics })),
    heardTurns,
    loopP99Ms: delay.percentile(99) / 1e6,
  })
  delay.reset()
})
process.send?.({ port, embeddedPort })
