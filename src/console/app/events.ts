import { client, queryClient } from './trpc.ts'

/** Something that happened in the business, or `stream.reset`: everything has to be read anew. */
export type ConsoleEvent = { type: string; entityId: string }

let online = true
const followers = new Set<(event: ConsoleEvent) => void>()
const listeners = new Set<() => void>()
const channel = new BroadcastChannel('agentlocator-events')

export const isOnline = () => online
// A stream that hangs is noticed late; the browser knows at once when its network is gone.
const onNetworkGone = () => setOnline(false)

export function onOnlineChange(listener: () => void) {
  window.addEventListener('offline', onNetworkGone)
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
function setOnline(value: boolean) {
  if (value === online) return
  online = value
  // What was missed beyond the events that are sent again is read anew.
  if (online) readAnew()
  for (const listener of listeners) listener()
}

/** For what keeps itself true by events, beside the queries that are read anew. @returns what ends it */
export function onEvent(follower: (event: ConsoleEvent) => void): () => void {
  followers.add(follower)
  return () => void followers.delete(follower)
}

/** Lists that follow events themselves start again; all else is read anew. */
function readAnew() {
  void queryClient.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'inbox' })
  for (const follower of followers) follower({ type: 'stream.reset', entityId: '' })
}

/** What is read anew when something happened, by the first part of an event's type. */
const READS: Record<string, string[]> = {
  message: ['conversations', 'messages', 'system', 'agent'],
  agent: ['agent'],
  conversation: ['conversations'],
  call: ['calls', 'conversations'],
  contact: ['contacts', 'conversations'],
  lead: ['leads', 'conversations'],
  note: ['conversations', 'contacts'],
  payment: ['payments', 'conversations'],
  appointment: ['appointments', 'conversations', 'waitingList'],
  waiting: ['waitingList'],
  booking: ['booking'],
  service: ['booking'],
  staff: ['booking', 'appointments'],
  test_call: ['calls'],
  receptionist: ['receptionist'],
  receptionist_draft: ['receptionist'],
  business_text: ['receptionist'],
  scenario: ['scenarios', 'businesses'],
  knowledge_source: ['knowledgeSources'],
  business: ['businesses', 'receptionist'],
  whatsapp: ['whatsapp'],
  recording: ['calls', 'conversations', 'recordings'],
  push: ['push'],
  alert: ['alerts'],
}

const waiting = new Set<string>()
let timer: ReturnType<typeof setTimeout> | undefined

/** Events of the same moment cost one reading. */
function apply(event: ConsoleEvent) {
  const { type } = event
  if (type === 'stream.reset') return readAnew()
  for (const follower of followers) follower(event)
  for (const key of READS[type.split('.')[0] ?? ''] ?? []) waiting.add(key)
  if (timer) return
  timer = setTimeout(() => {
    timer = undefined
    for (const key of waiting) void queryClient.invalidateQueries({ queryKey: [key] })
    waiting.clear()
  }, 150)
}

/**
 * Keeps the cache true while events come. One tab of the browser holds the stream and passes events to the others; when it
 * closes, another takes over.
 * @returns what ends it
 */
export function followEvents(businessId: string): () => void {
  const ended = new AbortController()
  channel.onmessage = ({ data }: MessageEvent<{ businessId: string; event?: ConsoleEvent; online?: boolean }>) => {
    if (data.businessId !== businessId) return
    if (data.event) apply(data.event)
    if (data.online !== undefined) setOnline(data.online)
  }
  void navigator.locks
    .request(`agentlocator-events-${businessId}`, { signal: ended.signal }, () => holdStream(businessId, ended.signal))
    .catch((error: unknown) => {
      // Ended while it waited for the lock.
      if (!ended.signal.aborted) throw error
    })
  return () => {
    channel.onmessage = null
    ended.abort()
  }
}

function holdStream(businessId: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let hasStarted = false
    const share = (isHere: boolean) => {
      setOnline(isHere)
      channel.postMessage({ businessId, online: isHere })
    }
    const subscription = client.events.stream.subscribe(
      {},
      {
        onConnectionStateChange: ({ state, error }) => {
          if (state === 'connecting' && error) share(false)
        },
        onStarted: () => {
          share(true)
          // The stream begins now: what happened since the first screen was read would never arrive.
          if (!hasStarted) readAnew()
          hasStarted = true
        },
        onData: (item) => {
          const event: ConsoleEvent =
            'data' in item && item.data && 'type' in item.data ? item.data : (item as ConsoleEvent)
          apply(event)
          channel.postMessage({ businessId, event })
        },
        onError: () => share(false),
      },
    )
    signal.addEventListener('abort', () => {
      subscription.unsubscribe()
      resolve()
    })
  })
}
