import { eq } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { receptionistDrafts } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { isSame, mergeChanges } from '../../lib/merge.ts'
import { businessHours } from '../appointments/index.ts'
import { audit, auditOnly, type BusinessContext, emit } from '../context.ts'
import { businessText, type ReceptionistContent, readLive, receptionistContent } from './content.ts'
import { requireScenariosPassed } from './scenario-gate.ts'
import { receptionistSettings } from './settings.ts'
import { checkedHours, lockReceptionist, putContent } from './versions.ts'

const MAX_TEXTS = 500

export const draftChanges = z.object({
  /** Of the draft that was changed; of none, where there is none. A draft that is another by now is not written over. */
  revision: z.int().nonnegative(),
  /** Without `hours`, those of the draft stay. */
  settings: receptionistSettings.extend({ hours: businessHours.optional() }).optional(),
  saveTexts: z.array(businessText).max(MAX_TEXTS).default([]),
  removeTexts: z.array(businessText.shape.title).max(MAX_TEXTS).default([]),
})

export type Draft = {
  revision: number
  exists: boolean
  /** Whether the draft was begun from an older version than the one in force. */
  outdated: boolean
  content: ReceptionistContent
  live: { version: number; content: ReceptionistContent }
  by: { kind: string; id: string } | null
  updatedAt: Date | null
}

type Row = typeof receptionistDrafts.$inferSelect

/** What may become the next version. */
export function getDraft(ctx: BusinessContext): Promise<Draft> {
  return readDraft(ctx.db, ctx)
}

async function readDraft(db: Executor, ctx: BusinessContext): Promise<Draft> {
  const row = await readRow(db, ctx)
  const live = await readLive(db, ctx)
  const stored = contentOf(row)
  if (!row || !stored) {
    const nothing = { exists: false, outdated: false, by: null, updatedAt: null }
    return { ...nothing, revision: row?.revision ?? 0, content: live.content, live }
  }
  const outdated = row.basedOn !== live.version
  return {
    revision: row.revision,
    exists: true,
    outdated,
    // The hours can be set elsewhere without a version.
    content: outdated ? stored.content : joined(stored, live.content).content,
    live,
    by: { kind: row.actorKind, id: row.actorId },
    updatedAt: row.updatedAt,
  }
}

async function readRow(db: Executor, ctx: BusinessContext): Promise<Row | null> {
  const [row] = await db.select().from(receptionistDrafts).where(eq(receptionistDrafts.businessId, ctx.businessId))
  return row ?? null
}

type Stored = { base: ReceptionistContent; content: ReceptionistContent }

function contentOf(row: Row | null): Stored | null {
  if (!row?.content) return null
  return { base: receptionistContent.parse(row.base), content: receptionistContent.parse(row.content) }
}

/** The draft's changes and those of the version in force; what both changed stays as in the draft. */
function joined({ base, content }: Stored, live: ReceptionistContent) {
  const byTitle = ({ settings, texts }: ReceptionistContent) => ({
    settings,
    texts: Object.fromEntries(texts.map(({ title, body }) => [title, body])),
  })
  const { merged, overlaps } = mergeChanges(byTitle(base), byTitle(content), byTitle(live))
  const texts = Object.entries(merged.texts).map(([title, body]) => ({ title, body }))
  return { content: { settings: merged.settings, texts: inOrder(texts) }, overlaps }
}

const inOrder = (texts: ReceptionistContent['texts']) => texts.sort((a, b) => (a.title < b.title ? -1 : 1))

/** Changes or begins the draft. @throws AppError `draft_conflict`, `invalid_hours`, `too_many_texts` */
export async function saveDraft(ctx: BusinessContext, input: z.input<typeof draftChanges>): Promise<Draft> {
  const changes = draftChanges.parse(input)
  const { settings } = changes
  if (settings?.hours) checkedHours(settings.hours)
  return await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    const draft = await readDraft(tx, ctx)
    requireRevision(draft, changes.revision)
    const texts = new Map(draft.content.texts.map(({ title, body }) => [title, body]))
    for (const title of changes.removeTexts) texts.delete(title)
    for (const { title, body } of changes.saveTexts) texts.set(title, body)
    if (texts.size > Math.max(MAX_TEXTS, draft.content.texts.length))
      throw new AppError('invalid', 'too_many_texts', `There can be ${MAX_TEXTS} texts. Join some of them.`)
    const content = {
      settings: settings
        ? { ...settings, hours: settings.hours ?? draft.content.settings.hours }
        : draft.content.settings,
      texts: inOrder([...texts].map(([title, body]) => ({ title, body }))),
    }
    const revision = await writeRow(tx, ctx, {
      revision: draft.revision,
      content,
      ...(draft.exists ? {} : { basedOn: draft.live.version, base: draft.live.content }),
    })
    if (!draft.exists) {
      const data = { basedOn: draft.live.version }
      await auditOnly(tx, ctx, { action: 'receptionist_draft.begin', ...entityOf(ctx), data })
    }
    await emit(tx, ctx, { action: 'receptionist_draft.save', ...entityOf(ctx), data: { revision } })
    return await readDraft(tx, ctx)
  })
}

const entityOf = (ctx: BusinessContext) => ({ entity: 'receptionist', entityId: ctx.businessId })

/** @throws AppError `draft_conflict` */
function requireRevision(draft: Draft, revision: number): void {
  if (draft.revision !== revision)
    throw new AppError('conflict', 'draft_conflict', 'The draft was changed meanwhile. Load it and try again.')
}

/** @throws AppError `draft_conflict`, `no_draft` */
async function requireDraft(tx: Executor, ctx: BusinessContext, revision: number): Promise<Draft & { stored: Stored }> {
  const draft = await readDraft(tx, ctx)
  requireRevision(draft, revision)
  const stored = contentOf(await readRow(tx, ctx))
  if (!stored) throw new AppError('not_found', 'no_draft', 'There is no draft. Change something first.')
  return { ...draft, stored }
}

async function writeRow(
  tx: Executor,
  ctx: BusinessContext,
  draft: { revision: number; content: ReceptionistContent | null; basedOn?: number; base?: ReceptionistContent },
): Promise<number> {
  const { businessId, actor } = ctx
  const { content, basedOn, base } = draft
  const revision = draft.revision + 1
  const set = { revision, content, actorKind: actor.kind, actorId: actor.id, updatedAt: new Date() }
  const begun = base ? { base, basedOn: basedOn ?? 0 } : {}
  await tx
    .insert(receptionistDrafts)
    .values({ businessId, basedOn: 0, ...set, ...begun })
    .onConflictDoUpdate({ target: receptionistDrafts.businessId, set: { ...set, ...begun } })
  return revision
}

/** Throws the draft away. @throws AppError `draft_conflict`, `no_draft` */
export async function discardDraft(ctx: BusinessContext, revision: number): Promise<Draft> {
  return await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    await requireDraft(tx, ctx, revision)
    await writeRow(tx, ctx, { revision, content: null })
    await audit(tx, ctx, { action: 'receptionist_draft.discard', ...entityOf(ctx) })
    return await readDraft(tx, ctx)
  })
}

/**
 * Merges the live version into an outdated draft; returns overlaps, where the draft's stay. @throws AppError
 * `draft_conflict`, `no_draft`
 */
export async function rebaseDraft(
  ctx: BusinessContext,
  revision: number,
): Promise<{ draft: Draft; overlaps: string[] }> {
  return await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    const { stored, live } = await requireDraft(tx, ctx, revision)
    const { content, overlaps } = joined(stored, live.content)
    await writeRow(tx, ctx, { revision, content, basedOn: live.version, base: live.content })
    await audit(tx, ctx, { action: 'receptionist_draft.rebase', ...entityOf(ctx), data: { basedOn: live.version } })
    return { draft: await readDraft(tx, ctx), overlaps }
  })
}

/**
 * Publishes the draft. @throws AppError `draft_conflict`, `no_draft`, `nothing_changed`, `invalid_hours`, `version_conflict`,
 * `scenarios_not_run`, `scenarios_running`, `scenarios_failed`
 * @param input.force whatever came of the scenarios
 */
export async function publishDraft(
  ctx: BusinessContext,
  input: { revision: number; note?: string | null | undefined; force?: boolean },
): Promise<number> {
  return await ctx.db.transaction(async (tx) => {
    await lockReceptionist(tx, ctx)
    const { content, live, outdated } = await requireDraft(tx, ctx, input.revision)
    if (outdated)
      throw new AppError(
        'conflict',
        'version_conflict',
        `Version ${live.version} was saved after the draft was begun. Take its changes into the draft, then publish.`,
      )
    if (isSame(content, live.content))
      throw new AppError('conflict', 'nothing_changed', 'The draft is the same as the version in force.')
    if (!input.force) await requireScenariosPassed(tx, ctx, input.revision)
    const { id, version } = await putContent(tx, ctx, live.content, content, { note: input.note ?? null })
    await writeRow(tx, ctx, { revision: input.revision, content: null })
    const data = { version, ...(input.force ? { forced: true } : {}) }
    await audit(tx, ctx, { action: 'receptionist.publish', entity: 'receptionist', entityId: id, data })
    return version
  })
}
