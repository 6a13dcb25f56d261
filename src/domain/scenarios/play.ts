import { errorMessage } from '../../lib/errors.ts'
import type { DomainContext } from '../context.ts'
import { type CheckFacts, checkFinally, checkReply, type Play, type Reply } from './checks.ts'
import type { Judge, Verdict } from './judge.ts'
import { type Observed, observeCustomer } from './observe.ts'
import { type Prepared, prepareScenario } from './prepare.ts'
import type {
  Expectation,
  FinalExpectation,
  Scenario,
  ScenarioChannel,
  ScenarioEngine,
  ScenarioStep,
} from './schema.ts'

/** A way to the agent, on which scenarios are played. */
export type Channel = {
  name: ScenarioChannel
  /** The intake dialogue of a call, which understands no words: it is judged by what is expected of it (`intake`). */
  intake: boolean
  /**
   * What answers: without a model scenarios that need one are left out; the sandbox's played model answers those that script it.
   */
  engine: ScenarioEngine
  /** Why a scenario cannot be played here; null when it can. */
  refuses(scenario: Scenario): string | null
  /** Plays the script. @returns what came back for each step, in order */
  play(prepared: Prepared, scenario: Scenario): Promise<Reply[]>
}

export type PlayResult = {
  scenario: string
  channel: ScenarioChannel
  run: number
  outcome: 'passed' | 'failed' | 'skipped'
  /** Why it was skipped. */
  reason: string | null
  failures: string[]
  verdicts: Verdict[]
  /** What was said, in order, for the reader. */
  transcript: { who: 'customer' | 'agent' | 'person'; text: string; tools?: string[] }[]
  turns: number
  ms: number
  costUsd: number | null
}

export type PlayOptions = {
  /** Null where there is no model for it: what it would decide is reported as not judged. */
  judge: Judge | null
  /** A number for the customer that no other play has. */
  phone(): string
  /** Called when what is given is there, before the first step. */
  onPrepared?(prepared: Prepared, scenario: Scenario): void
  /** In place of a business made for the play. */
  prepare?(scenario: Scenario, phone: string): Promise<Prepared>
  observe?(prepared: Prepared): Promise<Observed>
}

/** Plays a scenario once on a channel, on a business of its own, and compares what came of it with what is expected. */
export async function playScenario(
  ctx: DomainContext,
  scenario: Scenario,
  channel: Channel,
  run: number,
  options: PlayOptions,
): Promise<PlayResult> {
  const result: PlayResult = {
    ...{
      scenario: scenario.name,
      channel: channel.name,
      run,
      outcome: 'skipped',
      reason: skipReason(scenario, channel),
    },
    ...{ failures: [], verdicts: [], transcript: [], turns: 0, ms: 0, costUsd: null },
  }
  if (result.reason !== null) return result
  const begun = performance.now()
  try {
    const phone = options.phone()
    const prepared = await (options.prepare?.(scenario, phone) ?? prepareScenario(ctx, scenario, phone))
    options.onPrepared?.(prepared, scenario)
    const replies = await channel.play(prepared, scenario)
    const observed = await (options.observe?.(prepared) ??
      observeCustomer(prepared.ctx, prepared.phone, prepared.timezone))
    const play = { channel: channel.name, replies, observed, now: prepared.now, timeZone: prepared.timezone }
    result.failures.push(
      ...checkSteps(scenario, channel, replies, prepared),
      ...checkFinally(finalOf(scenario, channel), play),
    )
    result.transcript = transcriptOf(scenario, replies)
    result.turns = replies.reduce((sum, { texts }) => sum + texts.length, 0)
    result.costUsd = costOf(play)
    await judgeAll(scenario, channel, prepared, result, replies, options.judge)
  } catch (error) {
    result.failures.push(`it could not be played: ${errorMessage(error)}`)
  }
  result.ms = Math.round(performance.now() - begun)
  result.outcome = result.failures.length === 0 ? 'passed' : 'failed'
  return result
}

function skipReason(scenario: Scenario, channel: Channel): string | null {
  if (!scenario.channels.includes(channel.name)) return `not for ${channel.name}`
  if (channel.engine === 'played' && !channel.intake && !scenario.script.some(({ model }) => model))
    return 'scripts no answers of a model'
  if (scenario.needs === 'model' && channel.engine === 'rules' && !(channel.intake && hasIntake(scenario)))
    return 'needs a model that understands; no key is set'
  if (scenario.given.catalogue.length > 0) return 'needs a catalogue, which businesses do not have yet'
  return channel.refuses(scenario)
}

/** Whether the script says what the intake dialogue of a call has to do. */
const hasIntake = ({ script }: Scenario) => script.some(({ intake }) => intake !== undefined)

export function expectedOf(step: ScenarioStep, channel: Pick<Channel, 'intake'>): Expectation | undefined {
  return channel.intake ? step.intake : step.expect
}

/** What the intake dialogue cannot do is not expected of it: it has neither texts to quote nor a calendar. */
function finalOf({ finally: final }: Scenario, { intake }: Channel): FinalExpectation {
  if (!intake) return final
  const { db, never, budget } = final
  return { ...(final.intake ? { db: final.intake } : db?.calls ? { db: { calls: db.calls } } : {}), never, budget }
}

function checkSteps(scenario: Scenario, channel: Channel, replies: readonly Reply[], prepared: Prepared): string[] {
  const sent: string[] = []
  const before: string[] = []
  const tools: Reply['tools'] = []
  return scenario.script.flatMap((step, index) => {
    const reply = replies[index]
    const expected = expectedOf(step, channel)
    if (!reply) return expected ? [`step ${index + 1}: it was not reached`] : []
    sent.push(...(step.send ?? step.say ?? []))
    tools.push(...reply.tools)
    const facts: CheckFacts = { known: prepared.known, sent, before, tools }
    const failures = checkReply(expected ?? {}, reply, facts, step.within)
    before.push(...reply.texts)
    return failures.map((failure) => `step ${index + 1}: ${failure}`)
  })
}

function transcriptOf(scenario: Scenario, replies: readonly Reply[]): PlayResult['transcript'] {
  return scenario.script.flatMap((step, index) => [
    ...(step.human ? [{ who: 'person' as const, text: step.human.text }] : []),
    ...(step.send ?? step.say ?? []).map((text) => ({ who: 'customer' as const, text })),
    ...(step.silence ? [{ who: 'customer' as const, text: `[silent for ${step.silence / 1_000} s]` }] : []),
    ...(step.hangup ? [{ who: 'customer' as const, text: '[hangs up]' }] : []),
    ...(replies[index]?.texts ?? []).map((text, i) => ({
      who: 'agent' as const,
      text,
      ...(i === 0 ? { tools: (replies[index]?.tools ?? []).map(({ name }) => name) } : {}),
    })),
  ])
}

function costOf({ observed }: Play): number | null {
  const priced = observed.runs.filter(({ model }) => model)
  if (priced.length === 0) return 0
  if (priced.some(({ costMicros }) => costMicros === null)) return null
  return priced.reduce((sum, { costMicros }) => sum + (costMicros ?? 0), 0) / 1e6
}

/** What the rules cannot tell is asked of a model. A rule that failed is not overruled by it. */
async function judgeAll(
  scenario: Scenario,
  channel: Channel,
  { ctx, known }: Prepared,
  result: PlayResult,
  replies: readonly Reply[],
  judge: Judge | null,
): Promise<void> {
  if (channel.intake) return
  const steps = scenario.script.flatMap(({ expect }, index) =>
    (expect?.judge ?? []).map((criterion) => ({ criterion, step: index + 1 })),
  )
  const asked = [...steps, ...(scenario.finally.judge ?? []).map((criterion) => ({ criterion, step: null }))]
  if (asked.length === 0) return
  if (!judge) {
    const reason = 'no model is set that judges'
    result.verdicts = asked.map((each) => ({ ...each, verdict: 'not_judged', reason }))
    return
  }
  const tools = replies.flatMap((reply, index) => reply.tools.map((run) => ({ step: index + 1, ...run })))
  result.verdicts = await judge(ctx, { transcript: result.transcript, tools, known, asked })
  for (const { verdict, criterion, reason } of result.verdicts)
    if (verdict === 'failed') result.failures.push(`judged: ${criterion}: ${reason}`)
}
