import type { ServerEventOf } from './events.ts'
import type { SessionContext } from './session-context.ts'

type OutputItem = ServerEventOf<'response.output_item.done'>['item']
type ToolCall = { responseId: string; toolCallId: string; name: string | null; arguments: string }

/** The tool calls of the model. The server reports each in several events; it is passed on once. */
export class ToolCalls {
  readonly #names = new Map<string, string>()
  readonly #seen = new Set<string>()
  readonly #pending = new Set<string>()
  #lastResponse = ''

  /** @param onInvalid answers a call whose arguments are not valid */
  constructor(
    private readonly context: SessionContext,
    private readonly onInvalid: (toolCallId: string, result: unknown) => void,
  ) {}

  get isPending(): boolean {
    return this.#pending.size > 0
  }

  calledIn(responseId: string): boolean {
    return this.#lastResponse === responseId
  }

  noteName({ call_id, name }: OutputItem): void {
    if (call_id && name) this.#names.set(call_id, name)
  }

  /** @returns whether the call waited for its result */
  finish(toolCallId: string): boolean {
    return this.#pending.delete(toolCallId)
  }

  /** Whether the call is one that was not reported before. */
  isNew(toolCallId: string): boolean {
    return !this.#seen.has(toolCallId)
  }

  add(call: ToolCall): void {
    const { responseId, toolCallId } = call
    this.#lastResponse = responseId
    this.#seen.add(toolCallId)
    this.#pending.add(toolCallId)
    let args: unknown
    try {
      args = JSON.parse(call.arguments || '{}')
    } catch {
      this.onInvalid(toolCallId, { error: 'The arguments are not valid JSON.' })
      return
    }
    this.context.emit({ type: 'tool_call', toolCallId, name: call.name ?? this.#names.get(toolCallId) ?? '', args })
  }
}

/** The call that an output item is; null for other items. */
export function toolCallOf(responseId: string, item: OutputItem): ToolCall | null {
  if (item.type !== 'function_call' || !item.call_id) return null
  return { responseId, toolCallId: item.call_id, name: item.name || null, arguments: item.arguments ?? '{}' }
}
