import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { contactsWithPhone } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'

const TYPING_CHANNEL = 'agent_typing'
/** Without a word that it ended, typing is over after this: phones do not repeat that it goes on. */
const TYPING_MS = 8_000
const MOST_TYPING = 10_000

const typingNotice = z.object({ conversationId: z.uuid(), until: z.number() })

/** Whether the contact of a conversation types right now; what is lost, with a process or a connection, is typed for nothing. */
export type TypingWatch = { until(conversationId: string): Date | null }

/** Passes on that a contact types, or has stopped, to the processes that answer; nothing where the agent is off. */
export async function noteTyping(
  ctx: BusinessContext,
  who: { phone: string | null; lid: string | null },
  isTyping: boolean,
): Promise<void> {
  const until = Date.now() + (isTyping ? TYPING_MS : 0)
  const theirs = who.phone
    ? contactsWithPhone(ctx, who.phone)
    : sql`(select contact_id from contact_identities
        where business_id = ${ctx.businessId} and kind = 'lid' and value = ${who.lid})`
  await ctx.db.execute(sql`
    select pg_notify(${TYPING_CHANNEL}, json_build_object('conversationId', talk.id, 'until', ${until}::float8)::text)
    from conversations talk join agent_settings setting on setting.business_id = talk.business_id
    where talk.business_id = ${ctx.businessId} and setting.enabled_at is not null and talk.contact_id in ${theirs}`)
}

/** Hears of contacts who type. @param listen calls back with what is passed on over a channel */
export async function watchTyping(
  listen: (channel: string, onNotice: (text: string) => void) => Promise<unknown>,
): Promise<TypingWatch> {
  const typing = new Map<string, number>()
  await listen(TYPING_CHANNEL, (text) => {
    const { conversationId, until } = typingNotice.parse(JSON.parse(text))
    typing.delete(conversationId)
    const now = Date.now()
    if (until > now) typing.set(conversationId, until)
    for (const [id, end] of typing) if (end <= now || typing.size > MOST_TYPING) typing.delete(id)
  })
  return {
    until(conversationId) {
      const end = typing.get(conversationId)
      return end !== undefined && end > Date.now() ? new Date(end) : null
    },
  }
}
