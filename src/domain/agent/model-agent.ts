import { and, desc, eq, gt } from 'drizzle-orm'
import { type AgentToolRun, agentRuns } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { cutText } from '../../lib/text.ts'
import type { ModelAnswer, ModelFile, ModelMessage, TextModels } from '../../providers/models/port.ts'
import { listServices } from '../appointments/index.ts'
import type { BusinessContext } from '../context.ts'
import { getProfile } from '../receptionist/index.ts'
import { findUnbacked, type GuardFacts, type GuardHit } from './guard.ts'
import { type Heard, hearMessage, readable } from './heard.ts'
import { sayHours } from './knowledge.ts'
import { languageOf } from './language.ts'
import { readMemory, sayMemory } from './memory.ts'
import { buildAgentInstructions } from './model-instructions.ts'
import { picturesOf } from './pictures.ts'
import type { AgentReply } from './record.ts'
import type { Respond } from './respond.ts'
import { greetedLately, respondByRules, shownName } from './rules/respond-by-rules.ts'
import { SENTENCES } from './rules/sentences.ts'
import type { HeardFile, Situation } from './situation.ts'
import { createToolBox, type ToolBox } from './tools.ts'
import { inTrial } from './trial.ts'

export type ModelDeps = {
  models: TextModels
  /** The content of a stored file; null when it is gone. */
  readFile(storageKey: string): Promise<Uint8Array | null>
}

const MAX_HISTORY = 24
const MAX_HISTORY_CHARS = 8_000
const MAX_FILES = 3
const MAX_FILE_BYTES = 5_000_000
const MAX_OUTPUT_TOKENS = 700
const TIMEOUT_MS = 45_000
const MAX_REPLY = 1_500
const DAY_MS = 24 * 3_600_000
/** What models are shown; other files a person looks at. */
const SHOWN_TYPES: ReadonlySet<string> = new Set([
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/gif',
  'application/pdf',
])
/** Without a model the rules answer. */
const NO_MODEL: ReadonlySet<string> = new Set(['model_unavailable', 'model_budget_used_up', 'model_not_set'])

/** An agent that answers by a model, and by rules where there is none, its budget is used up, or all of them fail. */
export function createRespond(deps: ModelDeps): Respond {
  return async (ctx, situation, signal, now) => {
    if (!(await deps.models.availableFor(ctx.businessId))) return await respondByRules(ctx, situation, now)
    try {
      return await respondByModel(ctx, situation, deps, signal, now)
    } catch (error) {
      if (!(error instanceof AppError && NO_MODEL.has(error.code))) throw error
      ctx.log.warn({ error: errorMessage(error) }, 'no model answered; the rules do')
      return await respondByRules(ctx, situation, now)
    }
  }
}

async function respondByModel(
  ctx: BusinessContext,
  situation: Situation,
  deps: ModelDeps,
  signal: AbortSignal,
  now: Date,
): Promise<AgentReply> {
  const heard = situation.burst.map(hearMessage)
  const language = languageOf(
    situation.recent.filter(({ direction }) => direction === 'in').map((each) => hearMessage(each).words),
    situation,
  )
  const box = createToolBox(ctx, situation, now)
  const prompt = await inTrial(ctx, situation, (inner, there) => promptOf(inner, there, language, now))
  const files = await filesOf(situation, deps)
  const ask = (instructions: string) =>
    deps.models.generate({
      ...{
        businessId: ctx.businessId,
        purpose: situation.trial ? 'chat' : 'whatsapp',
        subject: { conversationId: situation.conversation.id },
      },
      ...{ instructions, messages: messagesOf(situation, heard, files), tools: box.tools, signal },
      ...{ maxSteps: 6, maxOutputTokens: MAX_OUTPUT_TOKENS, timeoutMs: TIMEOUT_MS },
    })
  const answers = [await ask(prompt.instructions)]
  const earlier = [...(situation.trial?.earlier ?? []), ...(await earlierTools(ctx, situation, now))]
  const facts = (): GuardFacts => ({
    tools: [...earlier, ...box.runs],
    known: prompt.known,
    said: situation.recent.filter(({ direction }) => direction === 'in').map((each) => hearMessage(each).words),
    before: situation.recent
      .filter(({ direction, writtenBy }) => direction === 'out' && writtenBy !== null)
      .map((each) => hearMessage(each).words),
    instructions: prompt.secret,
  })
  let text = cleanReply(answers[0])
  const found: GuardHit[] = []
  let hits = text === '' || box.handover ? [] : findUnbacked(text, facts())
  if (hits.length > 0) {
    found.push(...hits)
    const again = await ask(`${prompt.instructions}\n${repairOf(text, hits)}`)
    answers.push(again)
    text = cleanReply(again)
    hits = text === '' || box.handover ? [] : findUnbacked(text, facts())
    found.push(...hits)
  }
  const say = SENTENCES[language]
  const unread = heard.some((each) => each.unread !== null) && files.length === 0
  const failed = !box.handover && (hits.length > 0 || text === '')
  if (failed) text = await honestly(box, heard, say.honest)
  if (box.handover) text = say.handover
  const greeting = greetedLately(situation, now) ? [] : [say.hello(situation.business.name, shownName(situation))]
  return {
    text: [...greeting, text].join('\n'),
    engine: 'model',
    language,
    handover: box.handover,
    notify: failed ? 'guard' : unread ? 'file' : null,
    tools: box.runs,
    sources: [...box.sources, ...prompt.sources],
    guard: found.map(({ kind, words }) => `${kind}: ${words}`),
    gaps: box.gaps,
    pictures: box.handover ? [] : await picturesOf(ctx, situation, text, box.items, now),
    dialogue: null,
    ...usageOf(answers),
  }
}

/** What is said where nothing that was made may be: a message is taken, which is true then. */
async function honestly(box: ToolBox, heard: Heard[], sentence: { taken: string; failed: string }): Promise<string> {
  const message = heard.map(({ words, note }) => words || note || '').join('\n')
  try {
    await box.run('take_message', { message: cutText(message || '-', 1_500) })
    return sentence.taken
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return sentence.failed
  }
}

function repairOf(text: string, hits: readonly GuardHit[]): string {
  const list = hits.map(({ kind, words }) => `${kind} (${readable(words).slice(0, 60)})`).join(', ')
  return `You were about to write: "${readable(text).slice(0, 600)}". Nothing backs this in it: ${list}. No tool answered it. Call the tool now, or write the answer again without it and say what is not done or not known.`
}

function usageOf(answers: readonly ModelAnswer[]) {
  const sum = (of: (answer: ModelAnswer) => number) => answers.reduce((total, each) => total + of(each), 0)
  const priced = answers.every(({ costMicros }) => costMicros !== null)
  return {
    model: answers.at(-1)?.model ?? '',
    inputTokens: sum(({ usage }) => usage.inputTokens),
    outputTokens: sum(({ usage }) => usage.outputTokens),
    costMicros: priced ? sum(({ costMicros }) => costMicros ?? 0) : null,
  }
}

/** Plain text as WhatsApp shows it: no pictures or links of Markdown, no hidden characters, no card numbers. */
export function cleanReply(answer: ModelAnswer | undefined): string {
  if (!answer || answer.end === 'filtered' || answer.end === 'cut_off') return ''
  const flat = readable(answer.text)
    .replace(/!?\[([^\]]*)\]\(([^)]*)\)/g, '$1 $2')
    .replace(/^#{1,6}\s+/gm, '')
    .replace(/\*\*([^*]+)\*\*/g, '*$1*')
    .replace(/<[^>\n]{1,200}>/g, '')
    .replace(/^\s*@(all|everyone|channel)\b/gim, '$1')
  return cutText(flat, MAX_REPLY).trim()
}

async function promptOf(ctx: BusinessContext, situation: Situation, language: 'he' | 'en', now: Date) {
  const { business } = situation
  const { settings } = await getProfile(ctx)
  // What was written is in the conversation itself.
  const memory = { ...(await readMemory(ctx, situation.contact.id, now)), written: [] }
  const services = (await listServices(ctx))
    .filter(({ online }) => online)
    .map(
      ({ nameHe, nameEn, minutes, price }) =>
        `${nameHe} / ${nameEn}, ${minutes} minutes${price === null ? '' : `, ${price / 100} ₪`}`,
    )
    .join('\n')
  const hours = sayHours(settings, language)
  const remembered = sayMemory(memory, language, business.timezone)
  const input = {
    ...{ businessName: business.name, timeZone: business.timezone, settings, hours, services, memory: remembered, now },
    handoverTopics: situation.settings.handoverTopics,
  }
  return {
    instructions: buildAgentInstructions(input),
    // What may be said is no secret: the guard looks for the rest.
    secret: buildAgentInstructions({ ...input, hours: '', services: '', memory: '' }),
    // What a customer said once is remembered, and backs nothing.
    known: [
      ...[hours, services, business.name, settings.instructions],
      sayMemory({ ...memory, name: null, lead: null, calls: [] }, language, business.timezone),
    ],
    sources: [
      ...(memory.appointments.length + memory.calls.length > 0 ? [{ title: 'memory', kind: 'memory' as const }] : []),
      ...(hours === '' ? [] : [{ title: 'hours', kind: 'hours' as const }]),
    ],
  }
}

/** What was done in the last day: "it is booked" is true also a message later. */
async function earlierTools(ctx: BusinessContext, { contact, state }: Situation, now: Date): Promise<AgentToolRun[]> {
  const rows = await ctx.db
    .select({ tools: agentRuns.tools })
    .from(agentRuns)
    .where(
      and(
        eq(agentRuns.businessId, ctx.businessId),
        eq(agentRuns.contactId, contact.id),
        gt(agentRuns.createdAt, new Date(Math.max(now.getTime() - DAY_MS, state?.contextFrom?.getTime() ?? 0))),
      ),
    )
    .orderBy(desc(agentRuns.id))
    .limit(20)
  return rows.reverse().flatMap(({ tools }) => tools)
}

/** The conversation since the last handover, bounded, with what is to be answered at its end. */
function messagesOf({ recent, burst, state }: Situation, heard: Heard[], files: ModelFile[]): ModelMessage[] {
  const asked = new Set(burst.map(({ id }) => id))
  const from = state?.contextFrom ?? new Date(0)
  const history: ModelMessage[] = []
  let chars = 0
  for (const message of recent.filter(({ id, createdAt }) => !asked.has(id) && createdAt > from).toReversed()) {
    const { words, note } = hearMessage(message)
    const text = [words, note].filter(Boolean).join(' ')
    chars += text.length
    if (history.length >= MAX_HISTORY || chars > MAX_HISTORY_CHARS) break
    if (text === '' || message.status === 'failed') continue
    const isOurs = message.direction === 'out'
    history.unshift({
      role: isOurs ? 'agent' : 'customer',
      text: isOurs && message.writtenBy === 'person' ? `[a person of the business wrote] ${text}` : text,
    })
  }
  const text = heard
    .map(({ words, note }) => [note, words].filter(Boolean).join(' '))
    .filter(Boolean)
    .join('\n')
  return [
    ...history,
    { role: 'customer', text: text === '' ? '[no words]' : text, ...(files.length > 0 ? { files } : {}) },
  ]
}

async function filesOf({ burst }: Situation, deps: ModelDeps): Promise<ModelFile[]> {
  const shown = burst
    .flatMap(({ files }) => files)
    .filter((file): file is HeardFile & { storageKey: string } => isShown(file))
    .slice(0, MAX_FILES)
  const read = await Promise.all(
    shown.map(async ({ contentType, storageKey }) => ({
      mediaType: contentType.split(';')[0] ?? contentType,
      data: await deps.readFile(storageKey),
    })),
  )
  return read.flatMap(({ mediaType, data }) => (data ? [{ mediaType, data }] : []))
}

function isShown({ state, storageKey, bytes, contentType }: HeardFile): boolean {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? ''
  return state === 'stored' && storageKey !== null && (bytes ?? 0) <= MAX_FILE_BYTES && SHOWN_TYPES.has(type)
}
