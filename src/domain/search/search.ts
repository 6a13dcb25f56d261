import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { networkPhone, parsePhone } from '../../lib/phone.ts'
import { contactsWithPhone, contactView, getContacts } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { getMessages, messageView } from '../messages/index.ts'
import { phonePatterns, textQuery } from './text-query.ts'

export const SEARCH_KINDS = ['contacts', 'messages', 'calls', 'leads', 'notes'] as const
export type SearchKind = (typeof SEARCH_KINDS)[number]

export const searchInput = z.object({
  /** Words, the beginning of a word, or a phone number in any spelling. */
  q: z.string().trim().min(2).max(200),
  kinds: z.array(z.enum(SEARCH_KINDS)).min(1).optional(),
  limit: z.coerce.number().int().min(1).max(50).default(10),
})

const hit = z.object({
  id: z.uuid(),
  contactId: z.uuid().nullable(),
  contactName: z.string().nullable(),
  text: z.string(),
  at: z.date(),
})
export type SearchHit = z.infer<typeof hit>

export const searchResults = z.object({
  contacts: z.array(contactView),
  messages: z.array(hit.extend({ message: messageView })),
  calls: z.array(hit),
  leads: z.array(hit),
  notes: z.array(hit),
})

export async function searchEverything(
  ctx: BusinessContext,
  input: z.input<typeof searchInput>,
): Promise<z.infer<typeof searchResults>> {
  const { q, kinds, limit } = searchInput.parse(input)
  const wanted = (kind: SearchKind) => kinds === undefined || kinds.includes(kind)
  const words = textQuery(ctx.businessId, q)
  const texts = words
    ? await findTexts(
        ctx,
        TEXT_KINDS.filter((kind) => wanted(kind)),
        words,
        limit,
      )
    : NOTHING
  const [found, people] = await Promise.all([
    getMessages(
      ctx,
      texts.messages.map((each) => each.id),
    ),
    wanted('contacts') ? findContacts(ctx, q, words, limit) : [],
  ])
  const whole = new Map(found.map((message) => [message.id, message]))
  const messages = texts.messages.flatMap((each) => {
    const message = whole.get(each.id)
    return message ? [{ ...each, message }] : []
  })
  return { ...texts, messages, contacts: people }
}

const TEXT_KINDS = ['messages', 'calls', 'leads', 'notes'] as const
type TextKind = (typeof TEXT_KINDS)[number]

const NOTHING: Record<TextKind, SearchHit[]> = { messages: [], calls: [], leads: [], notes: [] }

/** A word with more matches than this is common: the newest rows are simply looked through until enough have it. */
const COMMON = 2_000

/**
 * A few rows are sorted; for a common word rows are read newest first. Postgres cannot tell the cases apart, so the index is
 * asked first.
 */
async function findTexts(
  ctx: BusinessContext,
  kinds: TextKind[],
  words: SQL,
  limit: number,
): Promise<Record<TextKind, SearchHit[]>> {
  const probed = await ctx.db.transaction(async (tx) => {
    await tx.execute(sql`select set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true),
      set_config('enable_indexonlyscan', 'off', true)`)
    const found = new Map<TextKind, string[]>()
    for (const kind of kinds) {
      const { table, text } = TEXTS[kind]
      const rows = await tx.execute<{ id: string }>(sql`
        select id from ${sql.identifier(table)}
        where business_id = ${ctx.businessId} and ${matches(text, words)} limit ${COMMON}`)
      found.set(
        kind,
        [...rows].map((row) => row.id),
      )
    }
    return found
  })
  const hits = await Promise.all(
    kinds.map(async (kind) => {
      const ids = probed.get(kind) ?? []
      if (ids.length === 0) return [kind, []] as const
      const { table, text, read } = TEXTS[kind]
      const newest = ids.toSorted((a, b) => (a < b ? 1 : -1)).slice(0, limit)
      const which =
        ids.length < COMMON
          ? sql`select * from ${sql.identifier(table)} where id in (${sql.join(
              newest.map((id) => sql`${id}::uuid`),
              sql`, `,
            )})`
          : sql`select * from ${sql.identifier(table)} where business_id = ${ctx.businessId} and ${matches(text, words)}
              order by id desc limit ${limit}`
      return [kind, await readHits(ctx, read(which))] as const
    }),
  )
  return { ...NOTHING, ...Object.fromEntries(hits) }
}

/** The expression that the text index is made of, word for word: otherwise the index is not used. */
function matches(text: string, words: SQL): SQL {
  return sql`(array_to_tsvector(array[business_id::text]) || to_tsvector('simple', ${sql.raw(text)})) @@ ${words}`
}

const TEXTS: Record<TextKind, { table: string; text: string; read(rows: SQL): SQL }> = {
  messages: {
    table: 'messages',
    text: 'body',
    read: (rows) => sql`
      select found.id, found.contact_id, contacts.name as contact_name, found.body as text, found.occurred_at as at
      from (${rows}) found left join contacts on contacts.id = found.contact_id order by found.id desc`,
  },
  calls: {
    table: 'call_turns',
    text: "coalesce(text, '')",
    read: (rows) => sql`
      select calls.id, calls.contact_id, contacts.name as contact_name, found.text, calls.started_at as at
      from (${rows}) found join calls on calls.id = found.call_id and not calls.is_test
      left join contacts on contacts.id = calls.contact_id
      order by found.id desc`,
  },
  leads: {
    table: 'leads',
    text: "coalesce(name, '') || ' ' || coalesce(wish, '')",
    read: (rows) => sql`
      select id, contact_id, name as contact_name, coalesce(wish, name, '') as text, created_at as at
      from (${rows}) found order by id desc`,
  },
  notes: {
    table: 'notes',
    text: 'body',
    read: (rows) => sql`
      select found.id, found.contact_id, contacts.name as contact_name, found.body as text, found.created_at as at
      from (${rows}) found left join contacts on contacts.id = found.contact_id order by found.id desc`,
  },
}

async function readHits(ctx: BusinessContext, query: SQL): Promise<SearchHit[]> {
  const rows = await ctx.db.execute<{
    id: string
    contact_id: string | null
    contact_name: string | null
    text: string
    at: string
  }>(query)
  return [...rows].map((row) => ({
    id: row.id,
    contactId: row.contact_id,
    contactName: row.contact_name,
    text: row.text,
    at: new Date(row.at),
  }))
}

async function findContacts(ctx: BusinessContext, q: string, words: SQL | null, limit: number) {
  const phone = phonePatterns(q)
  const whole = parsePhone(q) ?? networkPhone(q)
  const ways = [
    ...(whole ? [sql`id in ${contactsWithPhone(ctx, whole)}`] : []),
    ...(phone?.start ? [sql`phone like ${`${phone.start}%`}`] : []),
    ...(phone ? [sql`reverse(phone) like ${`${[...phone.end].reverse().join('')}%`}`] : []),
    ...(!phone && words ? [matches("coalesce(name, '') || ' ' || coalesce(email, '')", words)] : []),
  ]
  if (ways.length === 0) return []
  // One way a query: each is one index scan, where an `or` would read the whole table.
  const found = await Promise.all(
    ways.map((way) =>
      ctx.db.execute<{ id: string }>(
        sql`select id from contacts where business_id = ${ctx.businessId} and ${way} order by id desc limit ${limit}`,
      ),
    ),
  )
  const ids = [...new Set(found.flatMap((rows) => [...rows].map((row) => row.id)))].slice(0, limit)
  return await getContacts(ctx, ids)
}
