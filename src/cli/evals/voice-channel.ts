import { z } from 'zod'
import { addPhoneNumber } from '../../domain/businesses/index.ts'
import { type CallMoment, getCall } from '../../domain/calls/index.ts'
import type { BusinessContext } from '../../domain/context.ts'
import type { Channel, Prepared, Reply, Scenario, ScenarioStep } from '../../domain/scenarios/index.ts'
import { AppError } from '../../lib/errors.ts'
import { askCarrier, createNumbers, type EvalProduct, LISTED_MS, untilSeveral, waitFor } from './product.ts'

const MAX_CALL_SECONDS = 120
const RECORDED_MS = 60_000
/** Turns are written every second or two. */
const SAME_READS = 5
/** Where in what is said the line breaks. */
const BROKEN_AT = 0.6

export type VoiceOptions = {
  /** Speaks lines as a caller does; μ-law 8,000 Hz. */
  speak(texts: readonly string[], language: 'he' | 'en'): Promise<Uint8Array[]>
  /** What happened in a call, with its tools. */
  momentsOf(ctx: BusinessContext, callId: string): Promise<CallMoment[]>
  /** Whether the intake dialogue answers, not a model. */
  intake: boolean
}

const report = z.object({
  callSid: z.string(),
  ended: z.object({ by: z.string(), detail: z.string() }),
  durationMs: z.number(),
  turns: z.array(
    z.object({
      label: z.string(),
      startMs: z.number(),
      voiceEndMs: z.number(),
      responseLatencyMs: z.number().nullable(),
    }),
  ),
  streams: z.array(z.object({ startAtMs: z.number().nullable(), error: z.string().nullable() })),
})
type Report = z.output<typeof report>

/** Calls over the real path: lines spoken by the synthesizer, 8 kHz μ-law on Twilio's wire. */
export function createVoiceChannel(product: EvalProduct, options: VoiceOptions): Channel {
  const number = createNumbers('+97233', 6)
  let several: Promise<void> | null = null
  return {
    name: 'voice',
    intake: options.intake,
    engine: options.intake ? 'rules' : 'model',
    refuses: ({ given, script }) => {
      if (options.intake && !script.some(({ intake }) => intake)) return 'says nothing of the intake dialogue'
      if (given.clock) return 'needs a time of its own, which only the chat has'
      if (given.faults.length > 0) return 'needs a tool that fails, which only the chat has'
      return script.some(({ human }) => human) ? 'a member writes, which only the chat plays' : null
    },
    async play(prepared, scenario) {
      several ??= untilSeveral(product)
      await several
      return await playCall(prepared, scenario, product, options, number())
    },
  }
}

async function playCall(
  prepared: Prepared,
  scenario: Scenario,
  product: EvalProduct,
  options: VoiceOptions,
  number: string,
): Promise<Reply[]> {
  const { ctx, phone } = prepared
  await addPhoneNumber(ctx, { number })
  const script = await callerSteps(scenario, options)
  const placed = await waitFor(
    async () => {
      const ended = await askCarrier(
        product,
        '/calls',
        {
          webhookUrl: `${product.publicBaseUrl}/webhook/incoming_call`,
          statusCallbackUrl: `${product.publicBaseUrl}/webhook/call_status`,
          connectBaseUrl: product.connectBaseUrl,
          ...{ from: phone, to: number, script, maxSeconds: MAX_CALL_SECONDS, wait: true },
        },
        report,
        (MAX_CALL_SECONDS + 30) * 1_000,
      )
      // Until the servers have read it, the number is not in service.
      return ended.streams.length > 0 ? ended : null
    },
    'the servers to know the number',
    LISTED_MS,
  )
  const ended = await recordedCall(ctx, placed.callSid)
  const moments = await options.momentsOf(ctx, ended.id)
  return repliesOf(scenario, placed, await withAllTurns(ctx, ended), moments)
}

type CallerStepJson = Record<string, unknown>

async function callerSteps({ script, given }: Scenario, { speak }: VoiceOptions): Promise<CallerStepJson[]> {
  const steps: CallerStepJson[] = []
  for (const [index, step] of script.entries()) {
    if (step.silence) steps.push({ silence: step.silence })
    const audio = await speak(step.say ?? step.send ?? [], given.business?.language ?? 'he')
    for (const [i, spoken] of audio.entries()) {
      const isBroken = step.hangup === true && i === audio.length - 1
      const heard = isBroken ? spoken.subarray(0, Math.floor(spoken.length * BROKEN_AT)) : spoken
      steps.push({
        say: Buffer.from(heard).toString('base64'),
        label: String(index),
        ...(i > 0 ? { when: 'now' } : step.interrupt ? { when: 'barge_in' } : {}),
      })
    }
    if (step.hangup) steps.push({ hangup: true })
  }
  return steps
}

type RecordedCall = Awaited<ReturnType<typeof getCall>>

async function recordedCall(ctx: BusinessContext, callSid: string): Promise<RecordedCall> {
  return await waitFor(
    async () => {
      try {
        const call = await getCall(ctx, callSid)
        return call.state === 'ended' && call.carrierStatus !== null ? call : null
      } catch (error) {
        if (error instanceof AppError && error.code === 'call_not_found') return null
        throw error
      }
    },
    'the call in the CRM',
    RECORDED_MS,
  )
}

/** The carrier may say that a call ended before the server has written what was said last, some seconds at most. */
async function withAllTurns(ctx: BusinessContext, ended: RecordedCall): Promise<RecordedCall> {
  let call = ended
  for (let same = 0, tries = 0; same < SAME_READS && tries < 20; tries += 1) {
    await Bun.sleep(500)
    const again = await getCall(ctx, ended.id)
    same = again.turns.length === call.turns.length ? same + 1 : 0
    call = again
  }
  return call
}

/** What the agent said from one step of the caller to the next. */
function repliesOf(
  { script }: Scenario,
  { turns, streams, durationMs }: Report,
  call: RecordedCall,
  moments: readonly CallMoment[],
): Reply[] {
  const offset = streams[0]?.startAtMs ?? 0
  const own = (index: number) => turns.filter(({ label }) => label === String(index))
  const beginOf = (index: number) => own(index)[0]?.startMs ?? null
  return script.map((step, index) => {
    const from = beginOf(index) ?? endBefore(turns, index)
    const next = script.findIndex((_, other) => other > index && beginOf(other) !== null)
    const to = (next === -1 ? null : beginOf(next)) ?? durationMs
    const within = (atMs: number) => atMs + offset >= from && atMs + offset < to
    const tools = moments.filter(({ kind, atMs }) => kind === 'tool' && within(atMs))
    return {
      texts: call.turns.flatMap(({ role, text, startMs }) =>
        role === 'agent' && text && within(startMs) ? [text] : [],
      ),
      tools: tools.map(({ name, args, result, failed, detail }) => ({
        name: name ?? '',
        input: args ?? {},
        ...(failed ? { error: detail ?? 'failed' } : { output: result ?? null }),
      })),
      handover: moments.some(({ kind, atMs }) => kind === 'transfer' && within(atMs)),
      agent: null,
      ms: waitedMs(step, own(index)),
    }
  })
}

function endBefore(turns: Report['turns'], index: number): number {
  return turns.findLast(({ label }) => Number(label) < index)?.voiceEndMs ?? 0
}

function waitedMs(step: ScenarioStep, turns: Report['turns']): number | null {
  return step.hangup ? null : (turns.at(-1)?.responseLatencyMs ?? null)
}
