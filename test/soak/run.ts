// The long soak, by hand: bun test/soak/run.ts --delivery at-most-once --strike worker
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { runCleanups } from '../support/cleanup.ts'
import { runSoak, STRIKES } from './whatsapp-soak.ts'

const { values } = parseArgs({
  options: {
    sends: { type: 'string', default: '2000' },
    inbound: { type: 'string', default: '1000' },
    accounts: { type: 'string', default: '4' },
    workers: { type: 'string', default: '2' },
    delivery: { type: 'string', default: 'at-least-once' },
    strike: { type: 'string', default: 'worker' },
    from: { type: 'string', default: '3000' },
    to: { type: 'string', default: '7000' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    minutes: { type: 'string', default: '15' },
    log: { type: 'string' },
  },
})
const report = await runSoak(
  {
    accounts: Number(values.accounts),
    contactsPerAccount: 5,
    sends: Number(values.sends),
    inbound: Number(values.inbound),
    workers: Number(values.workers),
    delivery: z.enum(['at-least-once', 'at-most-once']).parse(values.delivery),
    every: [Number(values.from), Number(values.to)],
    strike: z.array(z.enum(STRIKES)).parse(values.strike.split(',')),
    limitMs: Number(values.minutes) * 60_000,
    seed: Number(values.seed),
    ...(values.log ? { logFile: values.log } : {}),
  },
  (line) => console.error(line),
)
console.log(JSON.stringify({ ...report, repeated: report.repeated.length }, null, 2))
await runCleanups()
process.exit(0)
