import { and, asc, eq } from 'drizzle-orm'
import type { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { businessTexts } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { stripPoints } from '../../lib/hebrew.ts'
import { audit, type BusinessContext } from '../context.ts'
import { type BusinessText, businessText, readProfile } from './content.ts'
import { addVersion, lockReceptionist } from './versions.ts'

const ANSWERS = 3
const ANSWER_CHARS = 1_500

/** Keeps a text, in a new version; one of the same title is replaced. */
export async function saveBusinessText(ctx: BusinessContext, input: z.input<typeof businessText>): Promise<string> {
  const text = businessText.parse(input)
  return await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    const [same] = await tx
      .select({ id: businessTexts.id })
      .from(businessTexts)
      .where(
        and(
          eq(businessTexts.businessId, ctx.businessId),
          eq(businessTexts.title, text.title),
          eq(businessTexts.body, text.body),
        ),
      )
    if (same) return same.id
    const [row] = await tx
      .insert(businessTexts)
      .values({ businessId: ctx.businessId, ...text })
      .onConflictDoUpdate({
        target: [businessTexts.businessId, businessTexts.title],
        set: { body: text.body, updatedAt: new Date() },
      })
      .returning({ id: businessTexts.id })
    if (!row) throw new Error('The text upsert answered no row.')
    await addTextVersion(tx, ctx)
    await audit(tx, ctx, { action: 'business_text.save', entity: 'business_text', entityId: row.id })
    return row.id
  })
}

/** @throws AppError `text_not_found` */
export async function removeBusinessText(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    const [row] = await tx
      .delete(businessTexts)
      .where(and(eq(businessTexts.id, id), eq(businessTexts.businessId, ctx.businessId)))
      .returning({ id: businessTexts.id })
    if (!row) throw new AppError('not_found', 'text_not_found', 'There is no such text.')
    await addTextVersion(tx, ctx)
    await audit(tx, ctx, { action: 'business_text.remove', entity: 'business_text', entityId: id })
  })
}

/** The settings stay; the texts are those that are there now. */
async function addTextVersion(tx: Executor, ctx: BusinessContext): Promise<void> {
  const { settings } = await readProfile(tx, ctx)
  await addVersion(tx, ctx, { settings })
}

export function listBusinessTexts(ctx: BusinessContext) {
  return ctx.db
    .select()
    .from(businessTexts)
    .where(eq(businessTexts.businessId, ctx.businessId))
    .orderBy(asc(businessTexts.title))
    .limit(500)
}

/** The texts that share most words with a question, best first; Hebrew prefixes such as ב and ה do not matter. */
export async function lookupBusinessInfo(
  ctx: BusinessContext,
  query: string,
): Promise<{ title: string; body: string }[]> {
  return bestTexts(await listBusinessTexts(ctx), query)
}

/** What a model is answered of these texts, best first, each bounded. */
export function bestTexts(texts: readonly BusinessText[], query: string): BusinessText[] {
  return rankTexts(texts, query)
    .slice(0, ANSWERS)
    .map(({ title, body }) => ({ title, body: body.slice(0, ANSWER_CHARS) }))
}

/** Pure: the texts that have words of the query, those with more of them first; a title counts three times. */
export function rankTexts<T extends { title: string; body: string }>(texts: readonly T[], query: string): T[] {
  const wanted = wordsOf(query)
  return texts
    .map((text) => {
      const title = wordsOf(text.title)
      const body = wordsOf(text.body)
      const score = wanted.reduce((sum, word) => sum + (has(title, word) ? 3 : 0) + (has(body, word) ? 1 : 0), 0)
      return { text, score }
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ text }) => text)
}

function wordsOf(text: string): string[] {
  return [...new Set(stripPoints(text.toLowerCase()).match(/[\p{L}\p{N}]+/gu) ?? [])].filter((word) => word.length > 1)
}

/** Whether a word is there, as itself or behind one of the letters that Hebrew writes in front of a word. */
function has(words: readonly string[], wanted: string): boolean {
  const bare = bareOf(wanted)
  return words.some((word) => word === wanted || bareOf(word) === bare || (bare.length > 3 && word.startsWith(bare)))
}

function bareOf(word: string): string {
  return /^[הבלמוכש][\u05d0-\u05ea]{3,}$/.test(word) ? word.slice(1) : word
}
