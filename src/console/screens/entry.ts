import type { Out } from '../app/trpc.ts'

/** One thing that happened with a contact. */
export type Entry = Out<'conversations.timeline'>['items'][number]
