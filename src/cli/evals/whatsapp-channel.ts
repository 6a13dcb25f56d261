import {
  type Channel,
  observeCustomer,
  type Prepared,
  type Reply,
  type Scenario,
  type ScenarioEngine,
  type ScenarioStep,
} from '../../domain/scenarios/index.ts'
import { addTwilioSender } from '../../domain/whatsapp/index.ts'
import {
  askCarrier,
  createNumbers,
  type EvalProduct,
  inbound,
  LISTED_MS,
  NOT_LISTED,
  untilSeveral,
  waitFor,
} from './product.ts'

/** An answer with its settling, on a busy machine. */
const ANSWER_MS = 90_000
/** Whoever writes sooner after an answer is taken for a machine. */
const BETWEEN_MS = 2_200

/** The product's WhatsApp, written to by the sandbox's carrier on Twilio's wire. */
export function createWhatsAppChannel(product: EvalProduct, { engine }: { engine: ScenarioEngine }): Channel {
  const sender = createNumbers('+97233', 6)
  let several: Promise<void> | null = null
  return {
    name: 'whatsapp',
    intake: false,
    engine,
    refuses: ({ given, script }) => {
      if (given.clock) return 'needs a time of its own, which only the chat has'
      if (given.faults.length > 0) return 'needs a tool that fails, which only the chat has'
      if (script.some(({ silence, hangup, interrupt }) => silence ?? hangup ?? interrupt)) return 'a call only'
      if (script.some(({ human }) => human)) return 'a member writes, which only the chat plays'
      return script.some(({ after }) => (after ?? 0) > 60_000) ? 'needs time to pass, which only the chat does' : null
    },
    async play(prepared, scenario) {
      several ??= untilSeveral(product)
      await several
      return await playWhatsApp(prepared, scenario, product, sender())
    },
  }
}

async function playWhatsApp(
  prepared: Prepared,
  { script, given }: Scenario,
  product: EvalProduct,
  sender: string,
): Promise<Reply[]> {
  await addTwilioSender(prepared.ctx, sender)
  const replies: Reply[] = []
  for (const [index, step] of script.entries()) {
    if (index > 0) await Bun.sleep(step.after ?? BETWEEN_MS)
    replies.push(await playStep(prepared, step, product, { sender, profileName: given.contact.name ?? '' }))
  }
  return replies
}

async function playStep(
  { ctx, phone, timezone }: Prepared,
  step: ScenarioStep,
  product: EvalProduct,
  { sender, profileName }: { sender: string; profileName: string },
): Promise<Reply> {
  const before = await observeCustomer(ctx, phone, timezone)
  const texts = step.send ?? step.say ?? []
  for (const body of texts) await receive(product, { from: phone, to: sender, body, profileName })
  const after = await waitFor(
    async () => {
      const seen = await observeCustomer(ctx, phone, timezone)
      const received = seen.messages.filter(({ direction }) => direction === 'in')
      const isAnswered =
        received.length >= before.messages.filter(({ direction }) => direction === 'in').length + texts.length &&
        received.every(({ answered }) => answered) &&
        seen.messages.every(({ status }) => status !== 'queued' && status !== 'sending')
      return isAnswered ? seen : null
    },
    `an answer to ${JSON.stringify(texts)}`,
    ANSWER_MS,
  )
  const runs = after.runs.slice(before.runs.length)
  const sent = after.messages.filter(
    ({ id, direction, writtenBy }) =>
      direction === 'out' && writtenBy === 'agent' && !before.messages.some((message) => message.id === id),
  )
  const last = after.messages.findLast(({ direction }) => direction === 'in')
  const [first] = sent
  return {
    texts: sent.map(({ body }) => body),
    tools: runs.flatMap(({ tools }) => tools),
    handover: runs.some(({ outcome, reason }) => outcome === 'answered' && reason !== null),
    agent: after.agent,
    ms: first && last ? first.createdAt.getTime() - last.createdAt.getTime() : null,
  }
}

type Written = { from: string; to: string; body: string; profileName: string }

async function receive(product: EvalProduct, message: Written): Promise<void> {
  const webhookUrl = `${product.publicBaseUrl}/webhook/whatsapp/twilio`
  await waitFor(
    async () => {
      const { deliveries } = await askCarrier(product, '/whatsapp/inbound', { webhookUrl, ...message }, inbound)
      const status = deliveries.at(-1)?.status ?? null
      if (status === NOT_LISTED) return null
      if (status === null || status >= 300) throw new Error(`The webhook of WhatsApp answered ${status ?? 'nothing'}.`)
      return status
    },
    'the servers to know the sender',
    LISTED_MS,
  )
}
