// Questions to a business with 10,000 chunks on a real database. Argument: chunks.
import { join } from 'node:path'
import { YAML } from 'bun'
import { z } from 'zod'
import { knowledgeChunks, knowledgeSources } from '../db/schema/index.ts'
import { searchKnowledge } from '../src/domain/knowledge/index.ts'
import { newId } from '../src/lib/ids.ts'
import { openDomain } from '../test/support/domain.ts'

const CHUNKS = Number(process.argv[2] ?? 10_000)
const SENTENCES = 4

const set = z.array(
  z.object({
    texts: z.array(z.object({ title: z.string(), body: z.string() })),
    questions: z.array(z.tuple([z.string(), z.string()])),
  }),
)
const fixtures = join(import.meta.dir, '../test/domain/knowledge/fixtures')
const read = async (name: string) => set.parse(YAML.parse(await Bun.file(join(fixtures, `${name}.yaml`)).text()))
const businesses = [...(await read('questions')), ...(await read('strangers'))]
const sentences = businesses.flatMap(({ texts }) => texts.flatMap(({ body }) => body.split(/(?<=\.)\s+/)))
const titles = businesses.flatMap(({ texts }) => texts.map(({ title }) => title))
const questions = businesses.flatMap((each) => each.questions.map(([question]) => question))

let seed = 1
const pick = <T>(of: readonly T[]): T => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
  const found = of[seed % of.length]
  if (found === undefined) throw new Error('There is nothing to pick from.')
  return found
}

const domain = await openDomain()
const ctx = await domain.newBusiness()
const sourceId = newId()
await ctx.db
  .insert(knowledgeSources)
  .values({ id: sourceId, businessId: ctx.businessId, kind: 'file', title: 'File', state: 'ready' })
const { businessId } = ctx
for (let at = 0; at < CHUNKS; at += 500)
  await ctx.db.insert(knowledgeChunks).values(
    Array.from({ length: Math.min(500, CHUNKS - at) }, (_, i) => ({
      ...{ id: newId(), businessId, sourceId, position: at + i, title: pick(titles) },
      body: Array.from({ length: SENTENCES }, () => pick(sentences)).join(' '),
    })),
  )

const begun = performance.now()
await searchKnowledge(ctx, { query: 'מחיר' })
const first = performance.now() - begun
const times: number[] = []
for (let round = 0; round < 2; round++)
  for (const query of questions) {
    const from = performance.now()
    await searchKnowledge(ctx, { query })
    if (round > 0) times.push(performance.now() - from)
  }
times.sort((a, b) => a - b)
const at = (share: number) => `${times[Math.floor(times.length * share)]?.toFixed(1)} ms`
process.stdout.write(
  `${CHUNKS} chunks, ${questions.length} questions: p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}; first question ${Math.round(first)} ms; ${Math.round(process.memoryUsage().rss / 1e6)} MB\n`,
)
await domain.close()
