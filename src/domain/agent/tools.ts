import { z } from 'zod'
import type { AgentSource, AgentToolRun } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import type { ModelTool } from '../../providers/models/port.ts'
import { type AppointmentToolName, appointmentTools } from '../appointments/index.ts'
import { type Item, sayItem, searchCatalogue } from '../catalogue/index.ts'
import type { BusinessContext } from '../context.ts'
import { recordGap } from '../knowledge/index.ts'
import { catalogueQuery } from '../receptionist/index.ts'
import * as acts from './acts.ts'
import { lookUp } from './knowledge.ts'
import type { Situation } from './situation.ts'

const short = z.string().trim().min(1).max(200)
const long = z.string().trim().min(1).max(2_000)

/** The words of a question and those of its answer may have nothing in common. */
export const ASK_BY_TITLE =
  'These may not answer it. When one of the titles may, look it up by that title. Otherwise nothing is known: say so, and offer to take a message.'

/** The tools of a call, which in writing know no other argument. */
function written<N extends AppointmentToolName>(name: N, perRun: number) {
  const { description, args } = appointmentTools[name]
  return { description, input: args.strict(), perRun }
}

/**
 * What the agent can do, for the contact of the conversation alone: no tool takes a number, an address or the id of a person, and
 * none sends.
 */
export const agentTools = {
  lookup_business_info: {
    description:
      'Look up prices, addresses, policies and other facts of the business. Never state one that this did not answer.',
    input: z.strictObject({ query: short }),
    perRun: 6,
  },
  search_catalogue: {
    description:
      'Search what the business sells, rents or offers one by one, such as apartments, cars or products. Name only items that this answered, with their name and price. Pictures of those you name are sent with your answer.',
    input: catalogueQuery,
    perRun: 6,
  },
  save_lead: {
    description: 'Keep what the customer wants, as soon as you know the inquiry, and again when you learn more.',
    input: z.strictObject({
      name: short.optional(),
      inquiry: long.optional(),
      callback_time: short.optional(),
      area: short.optional(),
      budget: short.optional(),
    }),
    perRun: 3,
  },
  update_contact: {
    description: 'Set the name of the customer, when the customer gives or corrects it.',
    input: z.strictObject({ name: z.string().trim().min(1).max(120) }),
    perRun: 2,
  },
  find_times: written('find_times', 6),
  book_appointment: written('book_appointment', 2),
  my_appointments: written('my_appointments', 4),
  reschedule_appointment: written('reschedule_appointment', 2),
  cancel_appointment: written('cancel_appointment', 2),
  join_waiting_list: written('join_waiting_list', 2),
  take_message: {
    description: 'Take a message for the business, in the customer’s words.',
    input: z.strictObject({ message: long, callback_time: short.optional() }),
    perRun: 2,
  },
  no_answer: {
    description: 'Note a question of the customer that the business’s information does not answer.',
    input: z.strictObject({ question: short }),
    perRun: 3,
  },
  handover: {
    description:
      'Hand the conversation to a person: when the customer asks for one, is angry, or you cannot help. The sentence about it is added for you.',
    input: z.strictObject({ reason: short }),
    perRun: 1,
  },
} as const satisfies Record<string, { description: string; input: z.ZodObject; perRun: number }>

export type AgentToolName = keyof typeof agentTools

export type ToolBox = {
  tools: ModelTool[]
  runs: AgentToolRun[]
  sources: AgentSource[]
  gaps: string[]
  /** Of the catalogue, that a search answered. */
  items: Item[]
  /** Why it was handed over; null when it was not. */
  handover: string | null
  /** Runs a tool as a model would. @throws AppError whose message a model may read */
  run(name: AgentToolName, input: unknown): Promise<unknown>
}

/** The tools of one run. What each was called with and answered is recorded. */
export function createToolBox(ctx: BusinessContext, situation: Situation, now: Date): ToolBox {
  const counts = new Map<AgentToolName, number>()
  const box: ToolBox = { tools: [], runs: [], sources: [], gaps: [], items: [], handover: null, run }

  async function run(name: AgentToolName, input: unknown): Promise<unknown> {
    const entry: AgentToolRun = { name, input }
    box.runs.push(entry)
    try {
      const count = (counts.get(name) ?? 0) + 1
      counts.set(name, count)
      situation.beforeTool?.(name)
      if (count > agentTools[name].perRun)
        throw new AppError('rate_limited', 'tool_limit', 'This was done often enough. Answer the customer now.')
      const already = box.runs.filter((each) => each !== entry)
      const { trial } = situation
      entry.output = trial
        ? await trial.run(situation, already, (inner, there) => perform(inner, there, box, name, input, now))
        : await perform(ctx, situation, box, name, input, now)
      return entry.output
    } catch (error) {
      entry.error = readableError(ctx, name, error)
      const { code = 'tool_failed', nextTimes } = error instanceof AppError ? error : {}
      throw new AppError('invalid', code, entry.error, { cause: error, ...(nextTimes ? { nextTimes } : {}) })
    }
  }

  box.tools = Object.entries(agentTools).map(([name, { description, input }]) => ({
    name,
    description,
    input,
    execute: (given: unknown) => run(toolName(name), given),
  }))
  return box
}

/** What a model may read of a failure: the messages of decisions, nothing of the inside. */
function readableError(ctx: BusinessContext, name: string, error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error)
  if (error instanceof AppError && error.kind !== 'internal') return error.message
  ctx.log.warn({ tool: name, error: errorMessage(error) }, 'a tool of the agent failed')
  return 'It did not work. Say so, and offer to take a message.'
}

function toolName(name: string): AgentToolName {
  for (const known of Object.keys(agentTools)) if (known === name && isToolName(name)) return name
  throw new AppError('not_found', 'unknown_tool', `There is no tool named ${name}.`)
}

export function isToolName(name: string): name is AgentToolName {
  return Object.hasOwn(agentTools, name)
}

async function perform(
  ctx: BusinessContext,
  situation: Situation,
  box: ToolBox,
  name: AgentToolName,
  input: unknown,
  now: Date,
): Promise<unknown> {
  switch (name) {
    case 'lookup_business_info': {
      const { query } = agentTools.lookup_business_info.input.parse(input)
      const { found, titles } = await lookUp(ctx, query, situation)
      for (const { title, source } of found) box.sources.push({ title, kind: source.kind })
      const texts = found.map(({ title, body, share, source }) => ({
        title,
        body,
        share: Math.round(share * 100) / 100,
        source: source.kind,
      }))
      if (titles.length > 0) return { texts, titles, note: ASK_BY_TITLE }
      return texts.length > 0 ? { texts } : { texts, note: 'Nothing is known about this. Say so; offer a message.' }
    }
    case 'search_catalogue':
      return await lookInCatalogue(ctx, box, input)
    case 'save_lead':
      return await acts.saveContactLead(ctx, situation, agentTools.save_lead.input.parse(input))
    case 'update_contact':
      return await acts.renameContact(ctx, situation, agentTools.update_contact.input.parse(input).name)
    case 'find_times':
    case 'book_appointment':
    case 'my_appointments':
    case 'reschedule_appointment':
    case 'cancel_appointment':
    case 'join_waiting_list':
      return await acts.runForContact(ctx, situation, name, agentTools[name].input.parse(input), now)
    case 'take_message': {
      const { message, callback_time } = agentTools.take_message.input.parse(input)
      return await acts.saveContactLead(ctx, situation, {
        inquiry: message,
        ...(callback_time ? { callback_time } : {}),
      })
    }
    case 'no_answer': {
      const { question } = agentTools.no_answer.input.parse(input)
      box.gaps.push(question)
      await recordGap(ctx, { question, channel: 'whatsapp', conversationId: situation.conversation.id })
      return { ok: true, note: 'The business sees the question. Offer to take a message.' }
    }
    case 'handover':
      box.handover = agentTools.handover.input.parse(input).reason
      return { ok: true, note: 'A person takes over. Say nothing more.' }
  }
}

async function lookInCatalogue(ctx: BusinessContext, box: ToolBox, input: unknown): Promise<unknown> {
  const { items, total, empty } = await searchCatalogue(ctx, agentTools.search_catalogue.input.parse(input))
  box.items.push(...items)
  for (const { name } of items) box.sources.push({ title: name, kind: 'catalogue' })
  if (items.length > 0) return { items: items.map(sayItem), total }
  return { items: [], note: empty ? 'There is no catalogue.' : 'Nothing fits. Say so, and ask what may be different.' }
}
