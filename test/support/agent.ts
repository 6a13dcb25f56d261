import type { Sql } from 'postgres'
import { type AnswerDeps, answerConversation, respondByRules, wakeAgent } from '../../src/domain/agent/index.ts'
import { type BusinessContext, within } from '../../src/domain/context.ts'
import { receiveMessage } from '../../src/domain/messages/index.ts'
import type { InboundMessage } from '../../src/jobs/registry.ts'
import { newId } from '../../src/lib/ids.ts'
import type { TestDomain } from './domain.ts'

export const TWILIO_SENDING = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }

export type TestAgent = {
  /** Receives a message as a provider brings it. */
  say(
    phone: string,
    body: string,
    how?: Partial<InboundMessage> & { own?: boolean; history?: boolean },
  ): Promise<string>
  /** Runs what the agent has to do, as if so many seconds had passed. @returns what each run came to */
  run(afterSeconds?: number): Promise<string[]>
  /** What was sent to a person, oldest first. */
  sentTo(phone: string): Promise<string[]>
  /** Lets half a minute pass since what was written: only machines answer at once. */
  pass(phone: string): Promise<void>
  lastTo(phone: string): Promise<string>
  lastRun(phone: string): Promise<{
    outcome: string
    reason: string | null
    tools: { name: string; error?: string }[]
    gaps: string[]
    guard: string[]
  }>
}

/** The agent of one business on the real database, run by hand. */
export function testAgent(domain: TestDomain, ctx: BusinessContext, deps: Partial<AnswerDeps> = {}): TestAgent {
  const sql: Sql = domain.handle.sql
  async function sentTo(phone: string): Promise<string[]> {
    const rows = await sql<{ body: string }[]>`
      select body from messages join contacts on contacts.id = messages.contact_id
      where contacts.business_id = ${ctx.businessId} and contacts.phone = ${phone} and direction = 'out' order by messages.id`
    return rows.map(({ body }) => body)
  }
  return {
    say: (phone, body, { own, history, ...more } = {}) =>
      receiveMessage(
        ctx,
        {
          provider: 'twilio',
          businessId: ctx.businessId,
          dedupeKey: newId(),
          providerMessageId: newId(),
          kind: 'text',
          from: { phone },
          body,
          media: [],
          at: new Date().toISOString(),
          ...more,
        },
        { ...(own ? { own } : {}), ...(history ? { history } : {}) },
      ),
    async run(afterSeconds = 5) {
      const now = () => new Date(Date.now() + afterSeconds * 1_000)
      domain.queued.length = 0
      await wakeAgent(domain.ctx, { sweep: true }, now())
      const outcomes: string[] = []
      for (const { name, payload } of domain.queued.filter((job) => job.name === 'agent.answer')) {
        const asked = payload as { businessId: string; conversationId: string; messageId: string }
        if (asked.businessId !== ctx.businessId) continue
        const agent = within(ctx, ctx.businessId, { kind: 'system', id: 'agent' })
        const result = await answerConversation(agent, asked, {
          pool: sql,
          messages: TWILIO_SENDING,
          respond: (business, situation, _signal, at) => respondByRules(business, situation, at),
          now,
          transcribes: () => false,
          ...deps,
        })
        outcomes.push(result.done ? result.outcome : `${name}: ${result.reason}`)
      }
      return outcomes
    },
    sentTo,
    async pass(phone) {
      await sql`update messages set created_at = messages.created_at - interval '30 seconds' from contacts
        where contacts.id = messages.contact_id and contacts.phone = ${phone} and contacts.business_id = ${ctx.businessId}`
    },
    lastTo: async (phone) => (await sentTo(phone)).at(-1) ?? '',
    async lastRun(phone) {
      const [row] = await sql<Awaited<ReturnType<TestAgent['lastRun']>>[]>`
        select outcome, reason, tools, gaps, guard from agent_runs join contacts on contacts.id = agent_runs.contact_id
        where contacts.business_id = ${ctx.businessId} and contacts.phone = ${phone} order by agent_runs.id desc limit 1`
      if (!row) throw new Error('There was no run.')
      return row
    },
  }
}
