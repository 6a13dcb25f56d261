import { parseArgs } from 'node:util'
import { runCleanups } from '../test/support/cleanup.ts'
import { startProduct, WHATSAPP_SENDER } from '../test/support/product.ts'

/**
 * Signed inbound messages per second that one web server acknowledges, each durable before its answer: `bun
 * bench/webhook-rate.ts [--seconds 5] [--senders 64] [--queue redis]`. The worker is paused, so that only the server is
 * measured.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    senders: { type: 'string', default: '64' },
    queue: { type: 'string', default: 'redis' },
  },
})

const product = await startProduct({
  queue: values.queue === 'postgres' ? 'postgres' : 'redis',
  env: { LOG_LEVEL: 'warn' },
})
try {
  for (const worker of product.workers) worker.kill('SIGSTOP')
  // Signed beforehand: signing is the carrier's work.
  const requests = Array.from({ length: 40_000 }, (_, index) => {
    const fields = {
      MessageSid: `SM${index}`,
      From: 'whatsapp:+972501234567',
      To: `whatsapp:${WHATSAPP_SENDER}`,
      Body: 'hello',
    }
    return { body: new URLSearchParams(fields).toString(), headers: product.sign('/webhook/whatsapp/twilio', fields) }
  })
  const until = performance.now() + Number(values.seconds) * 1_000
  const took: number[] = []
  let next = 0
  const send = async () => {
    while (performance.now() < until) {
      const request = requests[next++]
      if (!request) return
      const started = performance.now()
      const answer = await fetch(`${product.url()}/webhook/whatsapp/twilio`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...request.headers },
        body: request.body,
      })
      if (answer.status !== 204) throw new Error(`It answered ${answer.status}.`)
      took.push(performance.now() - started)
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: Number(values.senders) }, send))
  const seconds = (performance.now() - started) / 1_000
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1)
  console.log(
    `${Math.round(took.length / seconds)}/s  p50 ${at(0.5)} ms  p99 ${at(0.99)} ms  (${took.length} acknowledged)`,
  )
} finally {
  for (const worker of product.workers) worker.kill('SIGCONT')
  await product.stop()
  await runCleanups()
}
