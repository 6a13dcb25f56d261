import { AppError } from '../../lib/errors.ts'
import { openTestChat, type Respond, type TestChat } from '../agent/index.ts'
import type { Reply } from './checks.ts'
import type { Observed } from './observe.ts'
import type { Channel } from './play.ts'
import type { Scenario, ScenarioEngine } from './schema.ts'

/** People do not write sooner: who does is a machine. */
const BETWEEN_MS = 20_000

/** The agent in this process, at the time that the scenario gives; its tools write to the scenario's own business. */
export function createChatChannel({ respond, engine }: { respond: Respond; engine: ScenarioEngine }): Channel {
  return {
    name: 'chat',
    intake: false,
    engine,
    refuses: ({ script }) =>
      script.some(({ silence, hangup, interrupt }) => silence ?? hangup ?? interrupt) ? 'a call only' : null,
    async play({ ctx, phone, now }, scenario) {
      const beforeTool = faultsOf(scenario.given.faults)
      const chat = await openTestChat(ctx, { respond, phone, dryRun: false, beforeTool })
      return (await playChat(chat, now, scenario)).replies
    },
  }
}

/** Plays a script in a test chat. `observed` is what the chat did, which a dry run keeps nowhere. */
export async function playChat(
  chat: TestChat,
  now: Date,
  { script }: Scenario,
): Promise<{ replies: Reply[]; observed: Pick<Observed, 'gaps' | 'runs'> }> {
  const replies: Reply[] = []
  const runs: Observed['runs'] = []
  let at = now.getTime()
  for (const step of script) {
    at += step.after ?? BETWEEN_MS
    if (step.human) chat.writeAsPerson(step.human.text, new Date(at))
    const texts = step.send ?? step.say
    if (!texts) {
      replies.push({ texts: [], tools: [], handover: false, agent: null, ms: null })
      continue
    }
    const { reply, agent, thinkingMs } = await chat.say(texts, new Date(at))
    if (reply)
      runs.push({
        ...{ outcome: 'answered', reason: reply.handover, text: reply.text, tools: reply.tools, gaps: reply.gaps },
        ...{ costMicros: reply.costMicros ?? null, model: reply.model ?? null, thinkingMs, settledMs: null },
        sentMessageId: null,
      })
    replies.push({
      texts: reply ? [reply.text] : [],
      tools: reply?.tools ?? [],
      handover: Boolean(reply?.handover),
      agent,
      ms: reply ? thinkingMs : null,
    })
  }
  return { replies, observed: { runs, gaps: runs.flatMap(({ gaps }) => gaps.map((question) => ({ question }))) } }
}

export function faultsOf(faults: Scenario['given']['faults']): (name: string) => void {
  const calls = new Map<string, number>()
  return (name) => {
    const nth = (calls.get(name) ?? 0) + 1
    calls.set(name, nth)
    const fault = faults.find((each) => each.tool === name && each.nth === nth)
    if (fault) throw new AppError(fault.error, 'played_fault', 'This is not possible at the moment.')
  }
}
