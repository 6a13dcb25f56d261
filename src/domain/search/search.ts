import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { contactView, getContacts } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { phonePatterns, textQuery } from './text-query.ts'

export const SEARCH_KINDS = ['contacts', 'messages', 'calls', 'leads', 'notes'] as const
export type SearchKind = (typeof SEARCH_KINDS)[number]

export const searchInput = z.object({
  /** Words, the beginning of a word, or a phone number in any spelling. */
  q: z.string().trim().min(2).max(200),
  kinds: z.array(z.enum(SEARCH_KINDS)).min(1).optional(),
  /** Hits of each kind at most, the newest. */
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
  messages: z.array(hit),
  /** `id` is the call's, `text` what was said. */
  calls: z.array(hit),
  leads: z.array(hit),
  notes: z.array(hit),
})

/** Searches everything of the business: names, numbers, messages, what was said in calls, leads, notes. */
export async function searchEverything(
  ctx: BusinessContext,
  input: z.input<typeof searchInput>,
): Promise<z.infer<typeof searchResults>> {
  const { q, kinds, limit } = searchInput.parse(input)
  const wanted = (kind: SearchKind) => kinds === undefined || kinds.includes(kind)
  const words = textQuery(ctx.businessId, q)
  const byWords = (kind: SearchKind, query: (words: SQL) => SQL) =>
    wanted(kind) && words ? readHits(ctx, query(words)) : []
  const [contacts, messages, calls, leads, notes] = await Promise.all([
    wanted('contacts') ? findContacts(ctx, q, words, limit) : [],
    byWords('messages', (query) => messageHits(ctx.businessId, query, limit)),
    byWords('calls', (query) => callHits(ctx.businessId, query, limit)),
    byWords('leads', (query) => leadHits(ctx.businessId, query, limit)),
    byWords('notes', (query) => noteHits(ctx.businessId, query, limit)),
  ])
  return { contacts, messages, calls, leads, notes }
}

/** Each expression below is the one that its index is made of, word for word: otherwise the index is not used. */
const scoped = sql.raw('array_to_tsvector(array[business_id::text])')

function messageHits(businessId: string, query: SQL, limit: number): SQL {
  return sql`
    select found.id, found.contact_id, contacts.name as contact_name, found.text, found.at from (
      select id, contact_id, body as text, occurred_at as at from messages
      where business_id = ${businessId} and (${scoped} || to_tsvector('simple', body)) @@ ${query}
      order by id desc limit ${limit}
    ) found left join contacts on contacts.id = found.contact_id order by found.id desc`
}

function callHits(businessId: string, query: SQL, limit: number): SQL {
  return sql`
    select calls.id, calls.contact_id, contacts.name as contact_name, found.text, calls.started_at as at from (
      select id, call_id, text from call_turns
      where business_id = ${businessId} and (${scoped} || to_tsvector('simple', coalesce(text, ''))) @@ ${query}
      order by id desc limit ${limit}
    ) found join calls on calls.id = found.call_id left join contacts on contacts.id = calls.contact_id
    order by found.id desc`
}

function leadHits(businessId: string, query: SQL, limit: number): SQL {
  return sql`
    select id, contact_id, name as contact_name, coalesce(wish, name, '') as text, created_at as at from leads
    where business_id = ${businessId}
      and (${scoped} || to_tsvector('simple', coalesce(name, '') || ' ' || coalesce(wish, ''))) @@ ${query}
    order by id desc limit ${limit}`
}

function noteHits(businessId: string, query: SQL, limit: number): SQL {
  return sql`
    select found.id, found.contact_id, contacts.name as contact_name, found.text, found.at from (
      select id, contact_id, body as text, created_at as at from notes
      where business_id = ${businessId} and (${scoped} || to_tsvector('simple', body)) @@ ${query}
      order by id desc limit ${limit}
    ) found left join contacts on contacts.id = found.contact_id order by found.id desc`
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
  const ways = [
    ...(phone?.start ? [sql`phone like ${`${phone.start}%`}`] : []),
    ...(phone ? [sql`reverse(phone) like ${`${[...phone.end].reverse().join('')}%`}`] : []),
    ...(!phone && words
      ? [sql`(${scoped} || to_tsvector('simple', coalesce(name, '') || ' ' || coalesce(email, ''))) @@ ${words}`]
      : []),
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
