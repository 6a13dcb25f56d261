import { client, queryClient } from './trpc.ts'

type Event = { type: string }

let online = true
const listeners = new Set<() => void>()
const channel = new BroadcastChannel('agentlocator-events')

export const isOnline = () => online
export function onOnlineChange(listener: () => void) {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
function setOnline(value: boolean) {
  if (value === online) return
  online = value
  // What was missed beyond the events that are sent again is read anew.
  if (online) void queryClient.invalidateQueries()
  for (const listener of listeners) listener()
}

/** What is read anew when something happened, by the first part of an event's type. */
const READS: Record<string, string[]> = {
  message: ['conversations', 'messages', 'system'],
  conversation: ['conversations'],
  call: ['calls', 'conversations'],
  contact: ['contacts', 'conversations'],
  lead: ['leads', 'conversations'],
  note: ['conversations', 'contacts'],
  payment: ['payments', 'conversations'],
  appointment: ['appointments', 'conversations'],
  whatsapp: ['whatsapp'],
  recording: ['calls', 'conversations', 'recordings'],
}

const waiting = new Set<string>()
let timer: ReturnType<typeof setTimeout> | undefined

/** Events of the same moment cost one reading. */
function apply({ type }: Event) {
  if (type === 'stream.reset') return void queryClient.invalidateQueries()
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
  channel.onmessage = ({ data }: MessageEvent<{ businessId: string; event?: Event; online?: boolean }>) => {
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
        onStarted: () => share(true),
        onData: (item) => {
          const event: Event = 'data' in item && item.data && 'type' in item.data ? item.data : (item as Event)
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
