import type { Out } from '../app/trpc.ts'
import type { Quote } from './composer-outbox.ts'

/** One thing that happened with a contact. */
export type Entry = Out<'conversations.timeline'>['items'][number]
export type Message = Extract<Entry, { kind: 'message' }>['data']

/** What an entry of the thread may ask of the thread. */
export type EntryActions = { onReply(quote: Quote): void; onWrite(text: string): void }
