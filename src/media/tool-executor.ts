import type { StreamToken } from '../domain/calls/index.ts'
import { toolLimitOf } from '../domain/receptionist/index.ts'
import { errorMessage } from '../lib/errors.ts'
import { cleanDeep } from '../lib/text.ts'
import type { EngineEvent } from '../providers/speech/port.ts'
import type { AgentAudioOutput } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'
import type { CallEnding } from './call-ending.ts'
import type { DeadAirWatch } from './dead-air.ts'
import { NO_TRANSFER } from './media-session-ports.ts'

type ToolCall = Extract<EngineEvent, { type: 'tool_call' }>

const TOO_LONG = 'It took too long. Tell the caller that it could not be done, and offer to take a message.'

const TOO_OFTEN = 'This was done too often in this call. Go on without it, or take a message.'

/** Runs the model's tools: each is answered once, with its result or its failure; the caller hears a filler meanwhile. */
export class ToolExecutor {
  #running = 0
  /** Calls of each tool, over all engines. */
  readonly #uses = new Map<string, number>()

  constructor(
    private readonly context: CallContext,
    private readonly voice: AgentAudioOutput,
    private readonly callEnding: CallEnding,
    private readonly deadAir: DeadAirWatch,
  ) {}

  get running(): boolean {
    return this.#running > 0
  }

  take(received: ToolCall): void {
    // The database refuses some characters that a model may produce.
    const tool = { ...received, args: cleanDeep(received.args) }
    const { call, deps, metrics } = this.context
    if (!call) return
    metrics.tools++
    const { tools } = deps
    const uses = (this.#uses.get(tool.name) ?? 0) + 1
    this.#uses.set(tool.name, uses)
    if (uses > toolLimitOf(tool.name).attempts) {
      metrics.toolFailures++
      this.#answer(tool.toolCallId, { error: TOO_OFTEN })
    } else if (tool.name === 'save_lead') {
      deps.events.lead(call, tool.args)
      this.#answer(tool.toolCallId, { ok: true })
    } else if (tool.name === 'end_call') {
      this.#answer(tool.toolCallId, { ok: true }, true)
      // A call that ends already keeps its reason.
      if (this.context.state === 'live') this.callEnding.closeAfterLastMark('completed')
    } else if (tool.name === 'transfer_to_human' && tools) this.#transfer(call, tool.toolCallId)
    else if (tools?.list(call).some((each) => each.name === tool.name)) this.#run(call, tool)
    else {
      metrics.toolFailures++
      this.#answer(tool.toolCallId, { error: `There is no tool named ${tool.name}.` })
    }
  }

  #run(call: StreamToken, tool: ToolCall): void {
    const { context } = this
    const { tools } = context.deps
    if (!tools) return
    let open = true
    this.#running++
    const filler = context.timer()
    const deadline = context.timer()
    const settle = (result: unknown, failed: boolean) => {
      if (!open) return
      open = false
      this.#running--
      context.drop(filler, deadline)
      if (!context.live) return
      if (failed) context.metrics.toolFailures++
      context.trace.note({ kind: 'tool_done', id: tool.toolCallId, result, failed })
      this.#answer(tool.toolCallId, result)
    }
    filler.set(context.policy.fillerAfterMs, () => this.voice.filler())
    deadline.set(context.policy.toolTimeoutMs, () => settle({ error: TOO_LONG }, true))
    tools.run(call, tool.name, tool.args).then(
      (result) => settle(result, false),
      (error: unknown) => {
        context.log.warn({ tool: tool.name, error: errorMessage(error) }, 'tool failed')
        settle({ error: errorMessage(error) }, true)
      },
    )
  }

  /** @param silent no response follows: none is wanted behind the goodbye */
  #answer(toolCallId: string, result: unknown, silent = this.context.state === 'closing'): void {
    this.context.trace.decide({ decision: 'tool_result', id: toolCallId, silent })
    this.context.engine?.toolResult(toolCallId, result, { silent })
    if (!silent) this.deadAir.expectAnswer()
  }

  /** The model gets a refusal of the transfer as its tool's result. */
  #transfer(call: StreamToken, toolCallId: string): void {
    const { context } = this
    const refuse = (problem: string) => {
      context.metrics.toolFailures++
      this.#answer(toolCallId, { error: problem })
    }
    if (!context.deps.tools?.canTransfer(call)) refuse(NO_TRANSFER)
    else if (!context.transferring) this.transfer(call, null, refuse)
  }

  /**
   * Announces the transfer, waits until that was heard, then transfers.
   * @param number E.164, in place of the business's own
   * @param onFailed the call goes on with its engine
   */
  transfer(call: StreamToken, number: string | null, onFailed: (problem: string) => void): void {
    const { context } = this
    const { tools } = context.deps
    if (!tools) return
    context.transferring = true
    context.trace.decide({ decision: 'transfer' })
    context.reportState()
    this.voice.phrase('connecting')
    this.deadAir.expectAnswer()
    this.callEnding.whenHeard(() => {
      context.handedOn = true
      tools.transfer(call, number).then(
        (problem) => {
          if (!context.live) return
          context.trace.note({ kind: 'transfer_done', problem })
          if (problem === null) void context.end('transferred')
          else this.#transferFailed(problem, onFailed)
        },
        (error: unknown) => {
          if (!context.live) return
          context.trace.note({ kind: 'transfer_done', problem: 'failed' })
          context.log.warn({ error: errorMessage(error) }, 'call transfer failed')
          this.#transferFailed('The transfer failed. Offer to take a message.', onFailed)
        },
      )
    })
  }

  #transferFailed(problem: string, onFailed: (problem: string) => void): void {
    const { context } = this
    context.transferring = false
    context.handedOn = false
    context.reportState()
    if (context.engine) onFailed(problem)
    else {
      context.metrics.toolFailures++
      void context.end('engine_lost', 'the engine failed during a transfer that failed too')
    }
  }
}
