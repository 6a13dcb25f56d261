import type { ConversationItem, RealtimeServerEvent } from 'openai/resources/realtime/realtime'

export type { ConversationItem }

type ServerEventType = RealtimeServerEvent['type']
type ServerEventFields<T extends ServerEventType> = Omit<Extract<RealtimeServerEvent, { type: T }>, 'type' | 'event_id'>
export type SendEvent = <T extends ServerEventType>(type: T, fields: ServerEventFields<T>) => void

let serial = 0
export const newSandboxId = (prefix: string) => `${prefix}_sandbox${(++serial).toString(36).padStart(6, '0')}`
