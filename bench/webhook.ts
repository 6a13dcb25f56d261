import { parseArgs } from 'node:util'
import { runCleanups } from '../test/support/cleanup.ts'
import { announceCall, type HandStream, openStream } from '../test/support/media-stream.ts'
import { NUMBER, type Product, startProduct } from '../test/support/product.ts'

/**
 * Latency of the voice webhook during calls: `bun bench/webhook.ts [--calls 100] [--requests 1000]`.
 * The product runs as its own processes on a real queue and database; every call is a media stream with 50 frames a second
 * each way. The floor is `/healthz` under the same load, which does nothing.
 */
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '100' },
    requests: { type: 'string', default: '1000' },
    queue: { type: 'string', default: 'redis' },
  },
})
const calls = Number(values.calls)
const requests = Number(values.requests)
const FRAME_MS = 20

async function main() {
  const product = await startProduct({
    queue: values.queue === 'postgres' ? 'postgres' : 'redis',
    env: { BUSINESS_LANGUAGE: 'en', LOG_LEVEL: 'warn', MAX_CONCURRENT_CALLS: '100000' },
  })
  try {
    report('0 calls', await measure(product, 'idle'))
    const streams = await openCalls(product)
    const stopTalking = talk(streams)
    await Bun.sleep(2_000)
    const live = await product.metric('agentlocator_calls_live')
    report(`${live} calls`, await measure(product, 'busy'))
    stopTalking()
    for (const stream of streams) stream.close()
  } finally {
    await product.stop()
    await runCleanups()
  }
}

async function openCalls(product: Product): Promise<HandStream[]> {
  const streams: HandStream[] = []
  for (let index = 0; index < calls; index += 1) {
    const callSid = `CAbench${String(index).padStart(27, '0')}`
    const stream = await openStream(product)
    stream.start(callSid, await announceCall(product, callSid))
    streams.push(stream)
  }
  return streams
}

/** Every call sends its frames spread over the 20 ms. */
function talk(streams: HandStream[]): () => void {
  let slot = 0
  const slots = 10
  const timer = setInterval(() => {
    slot = (slot + 1) % slots
    for (let index = slot; index < streams.length; index += slots) streams[index]?.media(FRAME_MS)
  }, FRAME_MS / slots)
  return () => clearInterval(timer)
}

type Latencies = { webhook: number[]; floor: number[] }

/** One request at a time, as new calls arrive: the webhook, and the floor beside it. */
async function measure(product: Product, name: string): Promise<Latencies> {
  const latencies: Latencies = { webhook: [], floor: [] }
  for (let index = 0; index < requests; index += 1) {
    const fields = { CallSid: `CA${name}${index}`, From: '+972501234567', To: NUMBER }
    const started = performance.now()
    const answer = await product.post('/webhook/incoming_call', fields)
    const twiml = await answer.text()
    latencies.webhook.push(performance.now() - started)
    if (!twiml.includes('<Stream')) throw new Error(`The call was not connected: ${twiml}`)
    const floor = performance.now()
    await (await fetch(`${product.url()}/healthz`)).text()
    latencies.floor.push(performance.now() - floor)
    await Bun.sleep(2)
  }
  return latencies
}

function report(what: string, { webhook, floor }: Latencies) {
  const line = (values: number[]) => {
    const sorted = values.toSorted((a, b) => a - b)
    const at = (share: number) =>
      (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2)
    return `p50 ${at(0.5)} ms  p99 ${at(0.99)} ms  max ${at(1)} ms`
  }
  console.log(`${what.padEnd(10)}  incoming_call  ${line(webhook)}   floor  ${line(floor)}`)
}

if (import.meta.main) await main()
