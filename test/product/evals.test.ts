import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { createDatabase, type DatabaseHandle } from '../../db/client.ts'
import { describeRun } from '../../src/cli/evals/report.ts'
import { runEvals } from '../../src/cli/evals/run.ts'
import { createVoiceChannel } from '../../src/cli/evals/voice-channel.ts'
import { createWhatsAppChannel } from '../../src/cli/evals/whatsapp-channel.ts'
import type { DomainContext } from '../../src/domain/context.ts'
import { readScenarios } from '../../src/domain/scenarios/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { speakLines } from '../../src/sandbox/simulate.ts'
import { type Product, startProduct } from '../support/product.ts'

const SAMPLE = {
  whatsapp: ['burst-of-messages', 'plumber-leak-message', 'clinic-medication', 'asks-to-be-left-alone'],
  voice: ['intake-by-voice', 'interrupts-the-greeting', 'hangs-up-in-the-middle'],
}

let product: Product
let database: DatabaseHandle
let ctx: DomainContext

beforeAll(async () => {
  product = await startProduct({ queue: 'postgres', agent: true })
  database = createDatabase(product.env.DATABASE_URL ?? '', { max: 6 })
  ctx = {
    db: database.db,
    enqueue: () => Promise.reject(new Error('Scenarios queue nothing by themselves.')),
    log: createLogger('silent'),
    actor: { kind: 'system', id: 'test' },
  }
})
afterAll(async () => {
  await database?.close()
  await product?.stop()
})

async function play(channel: 'whatsapp' | 'voice') {
  const address = {
    ...{ publicBaseUrl: product.publicBaseUrl, connectBaseUrl: product.url(), carrierUrl: product.carrier.url },
    cacheDir: product.env.DATA_DIR ?? '',
  }
  const built =
    channel === 'whatsapp'
      ? createWhatsAppChannel(address, { engine: 'rules' })
      : createVoiceChannel(address, {
          intake: true,
          speak: (texts, language) => speakLines(texts, language, address.cacheDir),
          momentsOf: async () => [],
        })
  const files = SAMPLE[channel].map(async (name) =>
    readScenarios(await Bun.file(join(import.meta.dir, `../evals/${name}.yaml`)).text(), name),
  )
  return await runEvals({
    ...{ ctx, scenarios: (await Promise.all(files)).flat(), channels: [built], judge: null, repeat: 1, atOnce: 4 },
    onResult: () => undefined,
  })
}

test('scenarios are played through the servers and workers, by WhatsApp and by telephone', async () => {
  const results = (await Promise.all([play('whatsapp'), play('voice')])).flat()
  if (results.some(({ outcome }) => outcome !== 'passed')) throw new Error(describeRun(results))
  expect(results).toHaveLength(SAMPLE.whatsapp.length + SAMPLE.voice.length)
}, 300_000)
