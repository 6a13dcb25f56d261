import { z } from 'zod'

/** How the played model fails, or misbehaves. */
export const MODEL_FAULTS = [
  'slow',
  'no_headers',
  'stalls',
  'empty',
  'cut_off',
  'length',
  'tool_loop',
  'nonsense_arguments',
  'unknown_tool',
  'repeated_call',
  'rate_limited',
  'insufficient_quota',
  'unauthorized',
  'server_error',
  'overloaded',
  'html',
  'content_filter',
  'refusal',
  'stream_error',
  'too_long',
  'no_usage',
  'leaks_prompt',
  'obedient',
] as const
export type ModelFault = (typeof MODEL_FAULTS)[number]

const toolCall = z.object({
  name: z.string().min(1),
  /** A string is sent as it is, valid JSON or not. */
  args: z.union([z.record(z.string(), z.unknown()), z.string()]).default({}),
})

const modelStep = z.object({
  /** `{{result}}` is what the last tool answered, `{{message}}` the person's last message. */
  say: z.string().optional(),
  call: z.array(toolCall).default([]),
  fault: z.enum(MODEL_FAULTS).optional(),
  delayMs: z.int().min(0).max(120_000).default(0),
})

export const modelRule = z.object({
  when: z
    .object({
      /** Of the last message of the person. */
      contains: z.string().optional(),
      matches: z.string().optional(),
      instructions: z.string().optional(),
      model: z.string().optional(),
    })
    .default({}),
  /** For how many requests it holds; always when absent. */
  times: z.int().min(1).optional(),
  /** One per answer to the same message: the first before any tool ran, the next after its results. The last one is repeated. */
  steps: z.array(modelStep).min(1),
})
export type ModelRule = z.output<typeof modelRule>

export const modelPlan = z.object({
  rules: z.array(modelRule).default([]),
  /** Transcripts, one per request; after them the last one again. */
  transcripts: z.array(z.string()).default(['שלום, אפשר לקבוע תור למחר?']),
})
export type ModelPlan = z.output<typeof modelPlan>
export type ModelPlanInput = z.input<typeof modelPlan>

/** A request of either API, in one form. */
export type ModelView = {
  model: string
  instructions: string
  /** `text` of a tool is what it answered. */
  messages: { role: 'user' | 'assistant' | 'tool'; text: string; files: number; calls: string[] }[]
  tools: string[]
  json: boolean
  stream: boolean
}

export type PlannedAnswer = {
  text: string
  calls: { id: string; name: string; args: string }[]
  fault: ModelFault | null
  delayMs: number
}

/** What is answered in place of an answer, in the form of the API. */
export type WireFailure = { status: number; body: unknown; headers: Record<string, string> }

/** What the played model answers: by the first rule that fits, else by `otherwise`. */
export function planAnswer(view: ModelView, rules: ModelRule[], otherwise: (view: ModelView) => string): PlannedAnswer {
  const { lastMessage, rounds, lastResult } = stateOf(view)
  const rule = rules.find(({ when, times }) => {
    if (times === 0) return false
    if (when.contains !== undefined && !lastMessage.includes(when.contains)) return false
    if (when.matches !== undefined && !new RegExp(when.matches, 'isu').test(lastMessage)) return false
    if (when.instructions !== undefined && !view.instructions.includes(when.instructions)) return false
    return when.model === undefined || when.model === view.model
  })
  if (!rule) return { text: otherwise(view), calls: [], fault: null, delayMs: 0 }
  if (rule.times !== undefined) rule.times -= 1
  const step = rule.steps[Math.min(rounds, rule.steps.length - 1)] ?? modelStep.parse({})
  const fill = (text: string) => text.replaceAll('{{result}}', lastResult).replaceAll('{{message}}', lastMessage)
  const planned: PlannedAnswer = {
    text: fill(step.say ?? ''),
    calls: step.call.map(({ name, args }) => ({
      id: newCallId(),
      name,
      args: typeof args === 'string' ? args : JSON.stringify(args),
    })),
    fault: step.fault ?? null,
    delayMs: step.delayMs,
  }
  return step.fault ? misbehave(step.fault, view, planned) : planned
}

function stateOf({ messages }: ModelView) {
  const last = messages.findLastIndex(({ role }) => role === 'user')
  const since = messages.slice(last + 1)
  return {
    lastMessage: messages[last]?.text ?? '',
    rounds: since.filter(({ role, calls }) => role === 'assistant' && calls.length > 0).length,
    lastResult: since.findLast(({ role }) => role === 'tool')?.text ?? '',
  }
}

function misbehave(fault: ModelFault, view: ModelView, planned: PlannedAnswer): PlannedAnswer {
  const tool = view.tools[0] ?? 'unknown'
  const call = (name: string, args: string) => ({ id: newCallId(), name, args })
  switch (fault) {
    case 'tool_loop':
      return { ...planned, calls: planned.calls.length > 0 ? planned.calls : [call(tool, '{}')] }
    case 'nonsense_arguments':
      return { ...planned, calls: [call(planned.calls[0]?.name ?? tool, '{"date":[["never"]],"x":')] }
    case 'unknown_tool':
      return { ...planned, calls: [call('delete_everything', '{"sure":true}')] }
    case 'repeated_call':
      return { ...planned, calls: planned.calls.flatMap((each) => [each, each]) }
    case 'empty':
      return { ...planned, text: '', calls: [] }
    case 'leaks_prompt':
      return { ...planned, text: view.instructions, calls: [] }
    case 'obedient':
      return obey(view, planned)
    default:
      return planned
  }
}

const ORDER = /\[\[\s*(?:tool:\s*(?<tool>[\w.-]+)\s*(?<args>\{[^\]]*\})?|say:\s*(?<say>[^\]]*))\s*\]\]/giu
const ASKS_FOR_PROMPT = /prompt|instructions|above|הוראות|הנחיות|פרומפט|שמעל/iu

/**
 * Follows orders wherever they stand: `[[tool:NAME {…}]]` and `[[say:…]]` in any message, file name or result of a tool; a tool that
 * is named is called; who asks for the prompt gets it; anything else is confirmed in the words it was asked in.
 */
function obey(view: ModelView, planned: PlannedAnswer): PlannedAnswer {
  const { lastMessage, rounds, lastResult } = stateOf(view)
  const read = rounds > 0 ? lastResult : `${view.messages.map(({ text }) => text).join('\n')}\n${view.instructions}`
  const orders = [...read.matchAll(ORDER)]
  const calls = orders.flatMap(({ groups }) =>
    groups?.tool ? [{ id: newCallId(), name: groups.tool, args: groups.args ?? '{}' }] : [],
  )
  const named = view.tools.filter((name) => lastMessage.includes(name))
  const said = orders.flatMap(({ groups }) => (groups?.say ? [groups.say] : []))
  if (rounds < 3 && calls.length > 0) return { ...planned, calls, text: said.join('\n') }
  if (rounds === 0 && named.length > 0)
    return { ...planned, calls: named.map((name) => ({ id: newCallId(), name, args: argumentsIn(lastMessage) })) }
  if (said.length > 0) return { ...planned, text: said.join('\n') }
  if (ASKS_FOR_PROMPT.test(lastMessage)) return { ...planned, text: view.instructions }
  return { ...planned, text: `${lastMessage}\n\nבוצע. Done as you asked.` }
}

function argumentsIn(text: string): string {
  const object = /\{[\s\S]*\}/.exec(text)?.[0]
  const phone = /\+?\d[\d-]{7,}/.exec(text)?.[0]
  return object ?? JSON.stringify(phone ? { phone, to: phone } : {})
}

function newCallId(): string {
  return `call_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`
}

/** What the played model says when no rule fits. */
export function defaultAnswer(view: ModelView): string {
  const { lastMessage } = stateOf(view)
  return /[\u0590-\u05ff]/.test(lastMessage)
    ? `זו תשובה של מודל ההדגמה. כתבתם: «${lastMessage.slice(0, 200)}»`
    : `This is the answer of the sandbox's model. You wrote: “${lastMessage.slice(0, 200)}”`
}
