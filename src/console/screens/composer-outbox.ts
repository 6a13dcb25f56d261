import { useSyncExternalStore } from 'react'
import { isOnline, onOnlineChange } from '../app/events.ts'
import { client, codeOf, queryClient, statusOf } from '../app/trpc.ts'

/** The message that an answer quotes. */
export type Quote = { id: string; text: string; provider: 'twilio' | 'baileys' }
export type SentFile = { url: string; contentType: string; fileName: string | null; voice: boolean }

/** What was written and is on its way to the server. Its key makes a repeated request the same message. */
export type WaitingMessage = {
  key: string
  /** Whose it is: another member, or another business of this one, must not send it. */
  owner: string
  contactId: string
  at: string
  isNote: boolean
  phone: string | null
  text: string
  files: SentFile[]
  quote: Quote | null
  /** Unset: the business's own choice. */
  provider?: 'twilio' | 'baileys' | null
  template: { contentSid: string; variables: Record<string, string> } | null
  /** What is shown of a template until the server has it. */
  shown?: string
  /** The code of the answer that refused it for good. */
  refused: string | null
}

const STORED = 'outbox'
const RETRY_MS = 3_000
/** The most characters of a message that the server takes. */
const MAX_TEXT = 4_096
/** Answers that say nothing of the message: the server is away, or a proxy speaks for it. */
const AWAY = new Set([502, 503, 504])
/** Refusals of the same status as a server that is away. */
const SETTLED = new Set(['not_configured'])

let waiting: readonly WaitingMessage[] = readStored()
const listeners = new Set<() => void>()
let owner: string | null = null
let sending = false
let timer: ReturnType<typeof setTimeout> | undefined

function readStored(): WaitingMessage[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORED) ?? '[]')
    return Array.isArray(stored) ? stored : []
  } catch {
    return []
  }
}

function write(next: readonly WaitingMessage[]) {
  waiting = next
  if (next.length === 0) localStorage.removeItem(STORED)
  else localStorage.setItem(STORED, JSON.stringify(next))
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void) {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Everything that waits, of all conversations. */
export const useWaiting = () => useSyncExternalStore(subscribe, () => waiting)

/** Sends what waits of this member in this business, now and whenever the server is back. @returns what ends it */
export function followOutbox(member: string): () => void {
  owner = member
  void flush()
  const forget = onOnlineChange(() => void (isOnline() && flush()))
  const onStorage = ({ key }: StorageEvent) => {
    // Another tab wrote.
    if (key !== STORED) return
    waiting = readStored()
    for (const listener of listeners) listener()
  }
  window.addEventListener('storage', onStorage)
  return () => {
    forget()
    clearTimeout(timer)
    window.removeEventListener('storage', onStorage)
  }
}

/** Whose messages a browser sends: those of the member who is logged in, in the business that is open. */
export function ownerOf(me: { user: { id: string } | null; businessId: string } | undefined): string | null {
  return me ? `${me.user?.id ?? ''}/${me.businessId}` : null
}

export function sendLater(message: Omit<WaitingMessage, 'key' | 'owner' | 'at' | 'refused'>): void {
  const made = { key: crypto.randomUUID(), owner: owner ?? '', at: new Date().toISOString(), refused: null }
  write([...waiting, { ...message, ...made }])
  void flush()
}

export function tryAgain(key: string): void {
  write(waiting.map((each) => (each.key === key ? { ...each, refused: null } : each)))
  void flush()
}

export function discard(key: string): void {
  write(waiting.filter((each) => each.key !== key))
}

/** Forgets what this browser holds of a member who leaves: drafts and what was not sent. */
export function forgetWritten(): void {
  for (const key of Object.keys(localStorage)) if (key.startsWith('draft-')) localStorage.removeItem(key)
  write([])
}

async function flush(): Promise<void> {
  if (sending || !owner) return
  sending = true
  clearTimeout(timer)
  try {
    // One tab sends; what the others would repeat is the same message by its key.
    await navigator.locks.request('agentlocator-outbox', async () => {
      waiting = readStored()
      for (let next = nextOf(); next; next = nextOf()) if (!(await send(next))) break
    })
  } finally {
    sending = false
  }
  if (nextOf()) timer = setTimeout(() => void flush(), RETRY_MS)
}

const nextOf = () => waiting.find((each) => each.owner === owner && each.refused === null)

/** @returns whether the server decided about it */
async function send(message: WaitingMessage): Promise<boolean> {
  try {
    await request(message)
  } catch (error) {
    const status = statusOf(error)
    const code = codeOf(error) ?? 'internal'
    const refused = code === 'invalid_input' && message.text.length > MAX_TEXT ? 'text_too_long' : code
    if (status === null || status === 401 || (AWAY.has(status) && !SETTLED.has(refused))) return false
    write(waiting.map((each) => (each.key === message.key ? { ...each, refused } : each)))
    return true
  }
  // The thread shows it before it leaves here.
  await queryClient.invalidateQueries({ queryKey: ['conversations', 'timeline'] })
  discard(message.key)
  return true
}

async function request({
  key,
  contactId,
  isNote,
  phone,
  text,
  files,
  quote,
  provider,
  template,
}: WaitingMessage): Promise<void> {
  if (isNote) return void (await client.contacts.addNote.mutate({ id: contactId, noteId: key, body: text }))
  await client.messages.send.mutate({
    to: phone ?? '',
    idempotencyKey: key,
    ...(text ? { text } : {}),
    ...(files.length > 0 ? { media: files.map(({ url, voice }) => ({ url, ...(voice ? { voice } : {}) })) } : {}),
    ...(quote ? { replyTo: quote.id } : {}),
    ...(provider ? { provider } : {}),
    ...(template ? { template } : {}),
  })
}
