import type { proto } from '@whiskeysockets/baileys'
import {
  readEvent,
  readInvoice,
  readOrder,
  readPayment,
  readPoll,
  readPollResult,
  readProduct,
  readScheduledCall,
} from './commerce.ts'
import { content, type FieldDecision, noise, type Reading, type SealedUse, shown, wrapper } from './decision.ts'
import { documentMedia, media } from './files.ts'
import {
  readButtons,
  readButtonsResponse,
  readInteractive,
  readInteractiveResponse,
  readList,
  readListResponse,
  readStructured,
  readTemplate,
  readTemplateReply,
} from './interactive.ts'
import { readContacts, readLiveLocation, readLocation } from './people.ts'
import { readProtocol } from './protocol.ts'
import { findWords, idOf, labelOf, linesOf, listOf, textOf } from './text.ts'

export type FieldName = keyof Required<proto.IMessage>
export type FieldValue<Name extends FieldName> = NonNullable<proto.IMessage[Name]>
type Fields = { readonly [Name in FieldName]: FieldDecision<FieldValue<Name>> }

const poll = content<proto.Message.IPollCreationMessage>(readPoll)
const pollResult = content<proto.Message.IPollResultSnapshotMessage>(readPollResult)

/**
 * What is done with every field of `Message`. The type has one entry per field of Baileys' definition: a field added by a new
 * version does not compile until it is decided.
 */
export const MESSAGE_FIELDS: Fields = {
  conversation: content((text) => (text ? { content: { kind: 'text', text: textOf(text) } } : null)),
  extendedTextMessage: content(readExtendedText),

  imageMessage: content((node) => media('image', node)),
  videoMessage: content((node) => media('video', node)),
  ptvMessage: content((node) => media('video', node)),
  audioMessage: content((node) => media('audio', node)),
  documentMessage: content(documentMedia),
  stickerMessage: content((node) => media('sticker', node)),
  invoiceMessage: content(readInvoice),

  locationMessage: content(readLocation),
  liveLocationMessage: content(readLiveLocation),
  contactMessage: content((card) => readContacts([card], card.contextInfo)),
  contactsArrayMessage: content((node) => readContacts(listOf(node.contacts), node.contextInfo, node.displayName)),

  buttonsMessage: content(readButtons),
  listMessage: content(readList),
  templateMessage: content(readTemplate),
  interactiveMessage: content((node) => readInteractive(node)),
  highlyStructuredMessage: content(readStructured),
  buttonsResponseMessage: content(readButtonsResponse),
  templateButtonReplyMessage: content(readTemplateReply),
  listResponseMessage: content(readListResponse),
  interactiveResponseMessage: content(readInteractiveResponse),

  orderMessage: content(readOrder),
  productMessage: content(readProduct),
  sendPaymentMessage: content((node, nested) => readPayment('payment_sent', node, nested)),
  requestPaymentMessage: content((node, nested) => readPayment('payment_request', node, nested)),
  declinePaymentRequestMessage: content(({ key }) => shown('payment_request_declined', '', idOf(key?.id))),
  cancelPaymentRequestMessage: content(({ key }) => shown('payment_request_cancelled', '', idOf(key?.id))),
  paymentInviteMessage: content(() => shown('payment_invite')),

  eventMessage: content(readEvent),
  scheduledCallCreationMessage: content(readScheduledCall),
  scheduledCallEditMessage: content(({ key }) => shown('scheduled_call_cancelled', '', idOf(key?.id))),
  encEventResponseMessage: content((node) => sealed('Event Response', node.eventCreationMessageKey, node)),

  pollCreationMessage: poll,
  pollCreationMessageV2: poll,
  pollCreationMessageV3: poll,
  pollCreationMessageV4: wrapper('poll'),
  pollCreationMessageV5: poll,
  pollCreationOptionImageMessage: wrapper('poll_option_image'),
  pollUpdateMessage: content((node) => sealed('Poll Vote', node.pollCreationMessageKey, node.vote ?? {})),
  pollResultSnapshotMessage: pollResult,
  pollResultSnapshotMessageV3: pollResult,

  protocolMessage: content(readProtocol),
  reactionMessage: content(readReaction),
  encReactionMessage: content((node) => sealed('Enc Reaction', node.targetMessageKey, node)),
  secretEncryptedMessage: content(readSecretEncrypted),
  encCommentMessage: content((node) => sealed('Enc Comment', node.targetMessageKey, node)),
  commentMessage: {
    is: 'wrapper',
    name: 'comment',
    field: 1,
    inner: ({ message }) => message,
    replyTo: ({ targetMessageKey }) => targetMessageKey?.id,
  },

  deviceSentMessage: { is: 'wrapper', name: 'message', field: 2, inner: ({ message }) => message },
  ephemeralMessage: wrapper('disappearing_message'),
  viewOnceMessage: wrapper('view_once', true),
  viewOnceMessageV2: wrapper('view_once', true),
  viewOnceMessageV2Extension: wrapper('view_once', true),
  documentWithCaptionMessage: wrapper('document'),
  editedMessage: wrapper('edit'),
  lottieStickerMessage: wrapper('sticker'),
  associatedChildMessage: wrapper('attachment'),
  eventCoverImage: wrapper('event_cover'),
  groupMentionedMessage: wrapper('group_mention'),
  groupStatusMessage: wrapper('group_status'),
  groupStatusMessageV2: wrapper('group_status'),
  groupStatusMentionMessage: wrapper('group_status_mention'),
  statusMentionMessage: wrapper('status_mention'),
  statusAddYours: wrapper('status_add_yours'),
  botInvokeMessage: wrapper('assistant_request'),
  botTaskMessage: wrapper('assistant_task'),
  botForwardedMessage: wrapper('assistant_forward'),
  questionMessage: wrapper('question'),
  questionReplyMessage: wrapper('question_reply'),
  limitSharingMessage: wrapper('sharing_limit'),

  questionResponseMessage: content(({ key, text }) => answered(key, text)),
  statusQuestionAnswerMessage: content(({ key, text }) => answered(key, text)),
  statusQuotedMessage: content(({ originalStatusId, text }) => answered(originalStatusId, text)),
  statusStickerInteractionMessage: content(({ key }) => shown('status_sticker', '', idOf(key?.id))),
  statusNotificationMessage: content(({ originalMessageKey }) =>
    shown('status_notification', '', idOf(originalMessageKey?.id)),
  ),

  groupInviteMessage: content((node) => named('group_invite', node, node.groupName, textOf(node.caption))),
  newsletterAdminInviteMessage: content((node) =>
    named('channel_admin_invite', node, node.newsletterName, textOf(node.caption)),
  ),
  newsletterFollowerInviteMessageV2: content((node) =>
    named('channel_invite', node, node.newsletterName, textOf(node.caption)),
  ),
  stickerPackMessage: content((node) =>
    named('sticker_pack', node, node.name, node.publisher, textOf(node.caption), textOf(node.packDescription)),
  ),
  requestPhoneNumberMessage: content((node) => named('request_phone_number', node)),
  call: content((node) => named('call', node)),
  callLogMesssage: content(readCallLog),
  bcallMessage: content((node) => shown('broadcast_call', textOf(node.caption))),
  chat: content((node) => shown('chat_link', labelOf(node.displayName) ?? '')),
  placeholderMessage: content(() => shown('hidden_on_linked_devices')),
  richResponseMessage: content(readRichResponse),

  messageContextInfo: noise('what stands beside a message: keys and settings'),
  senderKeyDistributionMessage: noise('a key of a group'),
  fastRatchetKeySenderKeyDistributionMessage: noise('a key of a group'),
  albumMessage: noise('announces pictures that follow, each a message of its own'),
  keepInChatMessage: noise('keeps a message in a chat where messages disappear'),
  pinInChatMessage: noise('pins a message'),
  stickerSyncRmrMessage: noise('talk between the devices of one account'),
  messageHistoryBundle: noise('older messages for a new member of a group'),
  messageHistoryNotice: noise('says that a new member of a group was given older messages'),
}

function readExtendedText(node: proto.Message.IExtendedTextMessage): Reading {
  // A link without a text still has its title.
  const text = textOf(node.text) || linesOf(labelOf(node.title), textOf(node.description), labelOf(node.matchedText))
  return { content: { kind: 'text', text }, context: node.contextInfo ?? null }
}

function readReaction({ key, text }: proto.Message.IReactionMessage): Reading {
  const messageId = idOf(key?.id)
  const emoji = textOf(text, 64)
  if (messageId) return { content: { kind: 'reaction', emoji, messageId } }
  return emoji ? shown('reaction', emoji) : null
}

/** The kinds of answers, by the number of `secretEncType`; 3 and 4 are newer than Baileys. */
const SECRET_USES: readonly (SealedUse | undefined)[] = [
  undefined,
  'Event Edit',
  'Message Edit',
  'Poll Edit',
  'Poll Add Option',
]

function readSecretEncrypted(node: proto.Message.ISecretEncryptedMessage): Reading {
  const use = SECRET_USES[node.secretEncType ?? 0]
  return use ? sealed(use, node.targetMessageKey, node) : shown('edit', '', idOf(node.targetMessageKey?.id))
}

function sealed(
  use: SealedUse,
  target: proto.IMessageKey | null | undefined,
  { encPayload, encIv }: { encPayload?: Uint8Array | null; encIv?: Uint8Array | null },
): Reading {
  return {
    sealed: { use, target: target ?? {}, payload: encPayload ?? new Uint8Array(), iv: encIv ?? new Uint8Array() },
  }
}

function answered(key: proto.IMessageKey | null | undefined, text: unknown): Reading {
  return { content: { kind: 'text', text: textOf(text) }, replyTo: idOf(key?.id) }
}

function named(
  type: string,
  { contextInfo }: { contextInfo?: proto.IContextInfo | null },
  ...words: unknown[]
): Reading {
  const text = linesOf(...words.map((word) => textOf(word).trim()))
  return { content: { kind: 'unsupported', type, text }, context: contextInfo ?? null }
}

const CALL_OUTCOMES = ['', 'missed_', 'failed_', 'rejected_', '', '', 'silenced_', 'silenced_'] as const

function readCallLog({ isVideo, callOutcome }: proto.Message.ICallLogMessage): Reading {
  return shown(`${CALL_OUTCOMES[callOutcome ?? 0] ?? ''}${isVideo ? 'video' : 'voice'}_call`)
}

function readRichResponse(node: proto.IAIRichResponseMessage): Reading {
  const texts = listOf(node.submessages).map(({ messageText }) => textOf(messageText))
  const text = linesOf(...texts) || findWords(node)
  const context = node.contextInfo ?? null
  return text ? { content: { kind: 'text', text }, context } : named('assistant_answer', node)
}
