import type { AgentToolRun } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { resolveContact } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { openConversation } from '../conversations/index.ts'
import type { Situation, Trial } from './situation.ts'
import { createToolBox, isToolName } from './tools.ts'

/** Tools that change something. */
const WRITING: ReadonlySet<string> = new Set([
  'save_lead',
  'update_contact',
  'book_appointment',
  'reschedule_appointment',
  'cancel_appointment',
  'take_message',
])

/** What a turn of a trial changed. */
export type TrialTurn = {
  situation: Situation
  now: Date
  tools: readonly Pick<AgentToolRun, 'name' | 'input' | 'error'>[]
}

export type TrialSetting = {
  /** Whose conversation it is; an existing contact is remembered. */
  phone: string
  /** Writes what is given, each time. */
  prepare?: ((ctx: BusinessContext) => Promise<void>) | undefined
  /** In place of the texts of the version in force. */
  texts?: readonly { title: string; body: string }[] | null | undefined
  earlier: readonly TrialTurn[]
}

/**
 * Changes that are never kept: each piece of work runs in a short transaction of its own, in which what is given and what the
 * tools of earlier turns did is written again, and which is rolled back. No transaction is open while a model thinks: readers of
 * events wait for the oldest.
 */
export function createTrial(
  ctx: BusinessContext,
  { phone, prepare, earlier, texts = null }: TrialSetting,
  now: Date,
): Trial {
  return {
    texts,
    earlier: earlier.flatMap(({ tools }) => tools.map((run) => ({ output: {}, ...run }))),
    run: (situation, already, work) =>
      undone(ctx, async (inner) => {
        await prepare?.(inner)
        const place = await placeOf(inner, phone, now)
        const turns = already.length > 0 ? [...earlier, { situation, now, tools: already }] : earlier
        for (const turn of turns) await repeat(inner, { ...turn.situation, ...place }, turn)
        const { trial: _, ...rest } = situation
        const there = { ...rest, ...(turns.length > 0 ? await placeOf(inner, phone, now) : place) }
        return await work(inner, { ...there, trial: createSteps(inner, texts) })
      }),
  }
}

/** Inside of a trial: a tool that fails leaves the rest as it was. */
function createSteps(ctx: BusinessContext, texts: Trial['texts']): Trial {
  return {
    texts,
    earlier: [],
    run: (situation, _, work) => ctx.db.transaction((tx) => work({ ...ctx, db: tx }, situation)),
  }
}

/** Runs in the trial of a situation, where it is of one. */
export async function inTrial<Value>(
  ctx: BusinessContext,
  situation: Situation,
  work: (ctx: BusinessContext, situation: Situation) => Promise<Value>,
  already: readonly AgentToolRun[] = [],
): Promise<Value> {
  return situation.trial ? await situation.trial.run(situation, already, work) : await work(ctx, situation)
}

/** The contact and the conversation of a number, made where there are none. */
export async function placeOf(
  ctx: BusinessContext,
  phone: string,
  now: Date,
): Promise<Pick<Situation, 'contact' | 'conversation'>> {
  return await ctx.db.transaction(async (tx) => {
    const contactId = await resolveContact(tx, ctx, { phone })
    const id = await openConversation(tx, ctx, contactId, { at: now, inbound: true })
    const contact = await tx.query.contacts.findFirst({
      where: (t, { and, eq }) => and(eq(t.id, contactId), eq(t.businessId, ctx.businessId)),
    })
    if (!contact) throw new Error('The contact of the test chat is gone.')
    return { contact, conversation: { id, assigneeId: null, lastInboundAt: now } }
  })
}

class Undone extends Error {}

/** Runs in a transaction that is rolled back. Nothing is queued. */
async function undone<Value>(ctx: BusinessContext, run: (ctx: BusinessContext) => Promise<Value>): Promise<Value> {
  let value: { of: Value } | undefined
  try {
    await ctx.db.transaction(async (tx) => {
      value = { of: await run({ ...ctx, db: tx, enqueue: async () => undefined }) }
      throw new Undone()
    })
  } catch (error) {
    if (!(error instanceof Undone)) throw error
  }
  if (!value) throw new Error('A turn of the test chat had no result.')
  return value.of
}

/** Does again what the tools of a turn did. */
async function repeat(ctx: BusinessContext, situation: Situation, { now, tools }: TrialTurn): Promise<void> {
  const { beforeTool: _fault, trial: _trial, ...rest } = situation
  const box = createToolBox(ctx, { ...rest, trial: createSteps(ctx, null) }, now)
  for (const { name, input, error } of tools) {
    if (!WRITING.has(name) || !isToolName(name) || error !== undefined) continue
    try {
      await box.run(name, input)
    } catch (failure) {
      // A customer took the time meanwhile: the turn sees it as it is now.
      if (!(failure instanceof AppError)) throw failure
      ctx.log.info({ tool: name }, 'a tool of the test chat cannot be done again')
    }
  }
}
