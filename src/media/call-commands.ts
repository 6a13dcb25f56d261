import type { AgentAudioOutput } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'
import type { CallEnding } from './call-ending.ts'
import type { DeadAirWatch } from './dead-air.ts'
import type { ToolExecutor } from './tool-executor.ts'

/** What a member does to a live call. `number`: E.164, in place of the one that the business transfers to. */
export type CallCommand =
  | { kind: 'end' }
  | { kind: 'transfer'; number: string | null }
  | { kind: 'whisper'; text: string }

/** Why a command was not carried out; the call goes on. */
export type CommandProblem =
  | 'not_live'
  | 'no_transfer_number'
  | 'transfer_under_way'
  | 'transfer_failed'
  | 'follows_script'
  | 'engine_not_ready'

const FAILED =
  'A member of the staff wanted to take this call, and the transfer failed. Apologize, and offer to take a message.'

export class CallCommands {
  constructor(
    private readonly context: CallContext,
    private readonly voice: AgentAudioOutput,
    private readonly callEnding: CallEnding,
    private readonly tools: ToolExecutor,
    private readonly deadAir: DeadAirWatch,
  ) {}

  /** @returns null once it was done; a transfer, once the carrier has the call */
  async run(command: CallCommand): Promise<CommandProblem | null> {
    const { context } = this
    if (!context.live) return 'not_live'
    if (command.kind === 'end') return this.#end()
    return command.kind === 'transfer' ? await this.#transfer(command.number) : this.#whisper(command.text)
  }

  #end(): null {
    const { context } = this
    context.trace.note({ kind: 'command', command: 'end' })
    // A caller who hears that they are being connected gets no goodbye.
    if (context.transferring) void context.end('ended_by_member')
    else {
      this.#takeOver()
      this.callEnding.endByMember()
    }
    return null
  }

  async #transfer(number: string | null): Promise<CommandProblem | null> {
    const { context } = this
    const { call, deps } = context
    if (!call || !deps.tools?.canTransfer(call, number)) return 'no_transfer_number'
    if (context.transferring) return 'transfer_under_way'
    context.trace.note({ kind: 'command', command: 'transfer' })
    this.callEnding.reopen()
    this.#takeOver()
    const { promise, resolve } = Promise.withResolvers<CommandProblem | null>()
    const onFailed = () => {
      context.takenOver = false
      const { engine } = context
      if (engine?.instruct) engine.instruct(FAILED)
      else engine?.answer()
      this.deadAir.expectAnswer()
      resolve('transfer_failed')
    }
    context.whenEnded(() => resolve(context.handedOn ? null : 'not_live'))
    this.tools.transfer(call, number, onFailed)
    return await promise
  }

  #whisper(text: string): CommandProblem | null {
    const { context } = this
    const { engine } = context
    if (context.takenOver || context.transferring) return 'transfer_under_way'
    if (!engine || !context.engineReady) return 'engine_not_ready'
    if (!engine.instruct) return 'follows_script'
    const instruction = `A member of the staff tells you, unheard by the caller: ${text}`
    context.trace.note({ kind: 'command', command: 'whisper', text })
    context.whispers.push(instruction)
    engine.instruct(instruction)
    return null
  }

  /** From now on the caller hears the product's own phrases only. */
  #takeOver(): void {
    const { context, voice } = this
    context.takenOver = true
    // Also what the engine is about to say.
    if (voice.playing) voice.interrupt()
    else context.engine?.cancel()
  }
}
