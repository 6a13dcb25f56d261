import { type InfiniteData, infiniteQueryOptions } from '@tanstack/react-query'
import { type ConsoleEvent, onEvent } from '../app/events.ts'
import { client, type Out, queryClient } from '../app/trpc.ts'

type Page = Out<'conversations.list'>
export type Conversation = Page['items'][number]
export type ListFilter = { status: 'open' | 'closed' | 'snoozed'; assignee?: 'me' | 'none'; unread?: boolean }

const PAGE = 50
/** Rows behind the first page that are read again one by one; with more the list is read anew. */
const MOST_SINGLE = 10
const keyOf = (filter: ListFilter) => ['inbox', filter] as const

/**
 * The list of a filter. Events keep it true, so that it is never read anew as a whole: after scrolling through thousands of
 * conversations each message would cost as many requests as there are pages.
 */
export function conversationList(filter: ListFilter) {
  return infiniteQueryOptions<Page, Error, InfiniteData<Page>, unknown[], string | null>({
    queryKey: [...keyOf(filter)],
    queryFn: ({ signal, pageParam }) => read({ ...filter, ...(pageParam ? { cursor: pageParam } : {}) }, signal),
    initialPageParam: null,
    getNextPageParam: (last) => last.nextCursor,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  })
}

async function read(input: ListFilter & { cursor?: string }, signal?: AbortSignal): Promise<Page> {
  const page: unknown = await client.conversations.list.query({ ...input, limit: PAGE }, signal ? { signal } : {})
  // Dates travel as text: `Out` says so, the client's own types do not.
  return page as Page
}

/** Keeps a list true while it is shown. @returns what ends it */
export function followList(filter: ListFilter, myId: string | undefined): () => void {
  let waiting: ConsoleEvent[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  const refresh = () => {
    const events = waiting
    waiting = []
    timer = undefined
    void refreshList(filter, myId, events).catch(() => startAgain(filter))
  }
  // What happened while another list was shown.
  if (queryClient.getQueryData(keyOf(filter))) startAgain(filter)
  const forget = onEvent((event) => {
    if (event.type === 'stream.reset') return startAgain(filter)
    waiting.push(event)
    timer ??= setTimeout(refresh, 150)
  })
  return () => {
    forget()
    clearTimeout(timer)
  }
}

/** Only the first page stays, and is read anew. */
function startAgain(filter: ListFilter): void {
  queryClient.setQueryData<InfiniteData<Page>>(keyOf(filter), (old) => {
    const [first] = old?.pages ?? []
    return first && { pages: [first], pageParams: [null] }
  })
  void queryClient.invalidateQueries({ queryKey: keyOf(filter) })
}

/** Reads the first page, to which whatever happens moves a conversation, and those behind it that an event is about. */
async function refreshList(filter: ListFilter, myId: string | undefined, events: ConsoleEvent[]): Promise<void> {
  if (!queryClient.getQueryData(keyOf(filter))) return
  const first = await read(filter)
  const seen = new Set(first.items.map(({ id }) => id))
  const about = new Set(events.map(({ entityId }) => entityId))
  const behind = rowsOf(filter).filter(({ id, contactId }) => !seen.has(id) && (about.has(id) || about.has(contactId)))
  if (behind.length > MOST_SINGLE) return startAgain(filter)
  const single = await Promise.all(behind.map(({ id }) => client.conversations.get.query({ id })))
  const changed = new Map(single.map((row: unknown) => [(row as Conversation).id, row as Conversation]))
  const border = first.items.at(-1)
  setRows(filter, (rows) => {
    if (!first.nextCursor || !border) return first.items
    const rest = rows.flatMap((row) => {
      if (seen.has(row.id)) return []
      const now = changed.get(row.id)
      if (now) return matches(now, filter, myId) ? [now] : []
      // It would stand on the first page if it still belonged here.
      return isBefore(row, border) ? [] : [row]
    })
    return [...first.items, ...rest]
  })
}

/** Shows at once what a member's own change made of a conversation, in every list. */
export function applyConversation(conversation: Conversation, myId: string | undefined): void {
  for (const [key] of queryClient.getQueriesData<InfiniteData<Page>>({ queryKey: ['inbox'] })) {
    const filter = key[1] as ListFilter
    setRows(filter, (rows) =>
      rows.flatMap((row) =>
        row.id !== conversation.id ? [row] : matches(conversation, filter, myId) ? [conversation] : [],
      ),
    )
  }
}

function rowsOf(filter: ListFilter): Conversation[] {
  return queryClient.getQueryData<InfiniteData<Page>>(keyOf(filter))?.pages.flatMap(({ items }) => items) ?? []
}

/** The rows become one page, behind which the list goes on where it went on. */
function setRows(filter: ListFilter, change: (rows: Conversation[]) => Conversation[]): void {
  queryClient.setQueryData<InfiniteData<Page>>(keyOf(filter), (old) => {
    if (!old) return old
    const items = change(old.pages.flatMap((page) => page.items))
    return { pages: [{ items, nextCursor: old.pages.at(-1)?.nextCursor ?? null }], pageParams: [null] }
  })
}

function isBefore(row: Conversation, other: Conversation): boolean {
  return row.lastEventAt > other.lastEventAt || (row.lastEventAt === other.lastEventAt && row.id > other.id)
}

function matches(row: Conversation, filter: ListFilter, myId: string | undefined): boolean {
  if (row.status !== filter.status) return false
  if (filter.unread && row.unread === 0) return false
  if (filter.assignee === 'none') return row.assigneeId === null
  return filter.assignee !== 'me' || row.assigneeId === myId
}
