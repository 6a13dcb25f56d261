import { proto } from '@whiskeysockets/baileys'
import { noise, type Reading, type ReadNested, shown } from './decision.ts'
import { findWords, idOf, linesOf, textOf, wordsOf } from './text.ts'

const { Type } = proto.Message.ProtocolMessage
type ProtocolType = keyof typeof Type
type ReadProtocol = (message: proto.Message.IProtocolMessage, nested: ReadNested) => Reading

const settings = noise('a setting of the chat or the account')
const devices = noise('talk between the devices of one account')
const machines = noise('talk with assistants and advertisements')

/** Every type of `ProtocolMessage`: those that change a message are read, the rest is between devices. */
export const PROTOCOL_TYPES: { readonly [Name in ProtocolType]: ReturnType<typeof noise> | ReadProtocol } = {
  REVOKE: readDeletion,
  MESSAGE_EDIT: readEdit,
  EPHEMERAL_SETTING: settings,
  EPHEMERAL_SYNC_RESPONSE: settings,
  HISTORY_SYNC_NOTIFICATION: devices,
  APP_STATE_SYNC_KEY_SHARE: devices,
  APP_STATE_SYNC_KEY_REQUEST: devices,
  MSG_FANOUT_BACKFILL_REQUEST: devices,
  INITIAL_SECURITY_NOTIFICATION_SETTING_SYNC: devices,
  APP_STATE_FATAL_EXCEPTION_NOTIFICATION: devices,
  SHARE_PHONE_NUMBER: noise('the number itself is in the stanza'),
  PEER_DATA_OPERATION_REQUEST_MESSAGE: devices,
  PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE: devices,
  REQUEST_WELCOME_MESSAGE: machines,
  BOT_FEEDBACK_MESSAGE: machines,
  MEDIA_NOTIFY_MESSAGE: devices,
  CLOUD_API_THREAD_CONTROL_NOTIFICATION: ({ cloudApiThreadControlNotification: notice }) => {
    const text = textOf(notice?.notificationContent?.handoffNotificationText)
    return text ? shown('thread_control', text) : null
  },
  LID_MIGRATION_MAPPING_SYNC: devices,
  REMINDER_MESSAGE: settings,
  BOT_MEMU_ONBOARDING_MESSAGE: machines,
  STATUS_MENTION_MESSAGE: () => shown('status_mention'),
  STOP_GENERATION_MESSAGE: machines,
  LIMIT_SHARING: settings,
  AI_PSI_METADATA: machines,
  AI_QUERY_FANOUT: machines,
  GROUP_MEMBER_LABEL_CHANGE: settings,
}

const byNumber = new Map<number, ReturnType<typeof noise> | ReadProtocol>(
  Object.entries(PROTOCOL_TYPES).map(([name, decision]) => [numberOfType(name), decision]),
)

function numberOfType(name: string): number {
  const found = Object.entries(Type).find(([key]) => key === name)?.[1]
  return typeof found === 'number' ? found : -1
}

export function readProtocol(message: proto.Message.IProtocolMessage, nested: ReadNested): Reading {
  // The first type is 0, which protobuf may leave out.
  const decision = byNumber.get(message.type ?? (message.key?.id ? 0 : -1))
  if (typeof decision === 'function') return decision(message, nested)
  if (decision) return null
  // A type that Baileys does not have: only its text could be missed.
  const words = linesOf(message.editedMessage ? newWords(message.editedMessage, nested) : '', findWords(message))
  return words ? shown(`protocol_${message.type ?? 'unknown'}`, words) : null
}

function readDeletion({ key }: proto.Message.IProtocolMessage): Reading {
  const messageId = idOf(key?.id)
  return messageId ? { content: { kind: 'deletion', messageId } } : null
}

function readEdit({ key, editedMessage }: proto.Message.IProtocolMessage, nested: ReadNested): Reading {
  const messageId = idOf(key?.id)
  const text = editedMessage ? newWords(editedMessage, nested) : ''
  if (!messageId) return text ? { content: { kind: 'text', text } } : null
  return editedMessage ? { content: { kind: 'edit', messageId, text } } : shown('edit', '', messageId)
}

function newWords(message: proto.IMessage, nested: ReadNested): string {
  const edited = nested(message)
  return edited ? wordsOf(edited) : ''
}
