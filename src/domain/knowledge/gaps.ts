import { and, count, desc, eq, lt, max, notExists, sql } from 'drizzle-orm'
import { z } from 'zod'
import { calls, knowledgeGapExamples, knowledgeGaps } from '../../../db/schema/index.ts'
import { maskCardsInText } from '../../lib/card-numbers.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { maskText } from '../../lib/redact.ts'
import { cleanText, cutText, typedText } from '../../lib/text.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { listBusinessTexts, saveBusinessText } from '../receptionist/index.ts'
import { MEANINGS } from './meanings.ts'
import { tokensOf, wordsOfQuestion } from './search-words.ts'

const MAX_QUESTION = 300
const MAX_KEY_WORDS = 12
const EXAMPLES = 5
/** People read no more; what is asked beyond is counted only where it was asked before. */
const MAX_OPEN = 1_000
/** Some months: what people asked last year says little of what they ask now. */
const KEPT_DAYS = 180

/** What a question is grouped by: for each of its telling words the name of its meaning, or else its shortest stem. */
export function gapKey(question: string): string {
  const stems = wordsOfQuestion(question).map((word) => {
    const tokens = [...tokensOf(word).keys()]
    const meaning = tokens.find((token) => token.startsWith('m'))
    // By its name and not its number: keys are kept, and the list of meanings grows.
    if (meaning) return `m${MEANINGS[Number(meaning.slice(1))]?.split(' ')[0]}`
    const [stem] = tokens
      .filter((token) => token.startsWith('s'))
      .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    return stem ?? word
  })
  return [...new Set(stems)].sort().slice(0, MAX_KEY_WORDS).join(' ').slice(0, 400)
}

/**
 * Counts a question that nothing known answers, once a call or conversation. Numbers and addresses in it are masked.
 * @param where the conversation by its id, or the call by the carrier's id
 */
export async function recordGap(
  ctx: BusinessContext,
  gap: { question: string } & (
    | { channel: 'whatsapp' | 'chat'; conversationId: string }
    | { channel: 'call'; callSid: string }
  ),
): Promise<void> {
  const question = cutText(maskText(maskCardsInText(cleanText(gap.question))), MAX_QUESTION).trim()
  const key = gapKey(question)
  if (!key) return
  await ctx.db.transaction(async (tx) => {
    const callId = gap.channel === 'call' ? await callOf(ctx, gap.callSid) : null
    const conversationId = gap.channel === 'call' ? null : gap.conversationId
    // Who asks goes with the question: without them it would never go.
    if (!callId && !conversationId) return
    const [open] = await tx
      .select({ count: count() })
      .from(knowledgeGaps)
      .where(and(eq(knowledgeGaps.businessId, ctx.businessId), eq(knowledgeGaps.state, 'open')))
    if ((open?.count ?? 0) < MAX_OPEN)
      await tx.insert(knowledgeGaps).values({ businessId: ctx.businessId, key }).onConflictDoNothing()
    const [row] = await tx
      .select({ id: knowledgeGaps.id })
      .from(knowledgeGaps)
      .where(and(eq(knowledgeGaps.businessId, ctx.businessId), eq(knowledgeGaps.key, key)))
      .for('key share')
    if (!row) return
    const added = await tx
      .insert(knowledgeGapExamples)
      .values({
        id: newId(),
        businessId: ctx.businessId,
        gapId: row.id,
        question,
        channel: gap.channel,
        conversationId,
        callId,
      })
      .onConflictDoNothing()
      .returning({ id: knowledgeGapExamples.id })
    // Its answer was not found again.
    if (added.length > 0)
      await tx
        .update(knowledgeGaps)
        .set({ state: 'open' })
        .where(
          and(
            eq(knowledgeGaps.businessId, ctx.businessId),
            eq(knowledgeGaps.id, row.id),
            eq(knowledgeGaps.state, 'answered'),
          ),
        )
  })
}

async function callOf(ctx: BusinessContext, callSid: string): Promise<string | null> {
  const [call] = await ctx.db
    .select({ id: calls.id })
    .from(calls)
    .where(and(eq(calls.businessId, ctx.businessId), eq(calls.callSid, callSid)))
  return call?.id ?? null
}

export const gapFilters = z.object({
  state: z.enum(['open', 'answered', 'dismissed']).default('open'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})

export const gapView = z.object({
  id: z.uuid(),
  state: z.enum(['open', 'answered', 'dismissed']),
  /** As it was asked last. */
  question: z.string(),
  /** In how many calls and conversations it was asked. */
  count: z.number(),
  examples: z.array(z.string()),
  answer: z.string().nullable(),
  lastAt: z.date(),
})

/** What people asked and nothing answered, the most frequent first. */
export async function listGaps(ctx: BusinessContext, filters: z.input<typeof gapFilters>) {
  const { state, limit } = gapFilters.parse(filters)
  const examples = knowledgeGapExamples
  const rows = await ctx.db
    .select({
      id: knowledgeGaps.id,
      state: knowledgeGaps.state,
      answer: knowledgeGaps.answer,
      count: count(examples.id),
      lastAt: max(examples.createdAt),
      asked: sql<
        string[]
      >`(array_agg(${examples.question} order by ${examples.createdAt} desc, ${examples.id} desc))[1:${sql.raw(String(EXAMPLES * 4))}]`,
    })
    .from(knowledgeGaps)
    .innerJoin(examples, eq(examples.gapId, knowledgeGaps.id))
    .where(and(eq(knowledgeGaps.businessId, ctx.businessId), eq(knowledgeGaps.state, state)))
    .groupBy(knowledgeGaps.id)
    .orderBy(desc(count(examples.id)), desc(max(examples.createdAt)))
    .limit(limit)
  return rows.flatMap(({ asked, lastAt, ...row }) => {
    const distinct = [...new Set(asked)]
    return lastAt ? [{ ...row, question: distinct[0] ?? '', examples: distinct.slice(0, EXAMPLES), lastAt }] : []
  })
}

export const gapAnswer = z.object({
  /** One line is enough. */
  answer: typedText().trim().min(1).max(8_000),
  /** Of the text that it becomes; the question when absent. */
  title: typedText().trim().min(1).max(200).optional(),
})

/** The owner's answer becomes a text at once. @throws AppError `gap_not_found` */
export async function answerGap(ctx: BusinessContext, id: string, input: z.input<typeof gapAnswer>): Promise<void> {
  const { answer, title } = gapAnswer.parse(input)
  const asked = await ctx.db
    .select({ question: knowledgeGapExamples.question })
    .from(knowledgeGapExamples)
    .where(and(eq(knowledgeGapExamples.businessId, ctx.businessId), eq(knowledgeGapExamples.gapId, id)))
    .orderBy(desc(knowledgeGapExamples.createdAt))
    .limit(1)
  const [row] = await ctx.db
    .select({ id: knowledgeGaps.id, answer: knowledgeGaps.answer })
    .from(knowledgeGaps)
    .where(and(eq(knowledgeGaps.businessId, ctx.businessId), eq(knowledgeGaps.id, id)))
  const question = asked[0]?.question
  const [name, ...others] = [title, question, title && question ? `${title}: ${question}` : undefined].flatMap(
    (each) => (each ? [cutText(each, 200)] : []),
  )
  if (!row || !name) throw noGap()
  const free = await freeTitle(ctx, [name, ...others], answer, row.answer)
  await saveBusinessText(ctx, { title: free, body: answer })
  await decide(ctx, id, { state: 'answered', answer: free })
}

/** A title that replaces no other text: the same one only for the same answer, or for the one that this gap had before. */
async function freeTitle(
  ctx: BusinessContext,
  names: readonly [string, ...string[]],
  answer: string,
  before: string | null,
): Promise<string> {
  const texts = new Map((await listBusinessTexts(ctx)).map(({ title, body }) => [title, body]))
  const isFree = (title: string) => !texts.has(title) || texts.get(title) === answer || title === before
  const free = names.find(isFree)
  if (free) return free
  for (let number = 2; ; number++) {
    const title = `${cutText(names[0], 190)} (${number})`
    if (isFree(title)) return title
  }
}

/** @throws AppError `gap_not_found` */
export async function dismissGap(ctx: BusinessContext, id: string): Promise<void> {
  await decide(ctx, id, { state: 'dismissed', answer: null })
}

async function decide(
  ctx: BusinessContext,
  id: string,
  decision: { state: 'answered' | 'dismissed'; answer: string | null },
) {
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .update(knowledgeGaps)
      .set({ ...decision, decidedAt: new Date() })
      .where(and(eq(knowledgeGaps.businessId, ctx.businessId), eq(knowledgeGaps.id, id)))
      .returning({ id: knowledgeGaps.id })
    if (!row) throw noGap()
    await audit(tx, ctx, {
      action: `knowledge_gap.${decision.state === 'answered' ? 'answer' : 'dismiss'}`,
      entity: 'knowledge_gap',
      entityId: id,
    })
  })
}

/** Deletes examples by age, and gaps that have none left. @returns how many examples */
export async function pruneGaps(ctx: DomainContext, now = new Date()): Promise<number> {
  const before = new Date(now.getTime() - KEPT_DAYS * 86_400_000)
  const gone = await ctx.db
    .delete(knowledgeGapExamples)
    .where(lt(knowledgeGapExamples.createdAt, before))
    .returning({ id: knowledgeGapExamples.id })
  // The words of a question go with the people who asked it; a gap gets its first example in the transaction that makes it.
  await ctx.db
    .delete(knowledgeGaps)
    .where(
      notExists(
        ctx.db
          .select({ id: knowledgeGapExamples.id })
          .from(knowledgeGapExamples)
          .where(eq(knowledgeGapExamples.gapId, knowledgeGaps.id)),
      ),
    )
  return gone.length
}

function noGap(): AppError {
  return new AppError('not_found', 'gap_not_found', 'There is no such question.')
}
