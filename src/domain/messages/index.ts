export { countCallMessages, keyOfCallMessage } from './call-messages.ts'
export { type ChangedMessage, changeMessage, pruneEarlyDeletions } from './change-message.ts'
export type { SendSettings, TwilioSending } from './choose-sender.ts'
export { type DeliveryResult, deliverMessage } from './deliver-message.ts'
export { moveToFallback, moveWaitingToFallback } from './fallback.ts'
export { fetchMessageMedia, type MediaSource } from './fetch-media.ts'
export { getMediaFile, getMediaThumbnail, type MediaFile } from './media-files.ts'
export { type DescribedContent, describeContent } from './message-content.ts'
export { outboundOf, partyPhone } from './outbound.ts'
export { type MediaDeps, processMedia, requeueUnprocessedMedia } from './process-media.ts'
export {
  getMessage,
  getMessages,
  isFoldedSql,
  listMessages,
  messageFilters,
  relatedSql,
  waitForMessage,
} from './queries.ts'
export { type ReceiveOptions, receiveMessage, takeInbound } from './receive-message.ts'
export { requestMessage, type SendRequest, sendRequest } from './request-message.ts'
export { requeueMessage } from './requeue-message.ts'
export { applyMessageStatus } from './status.ts'
export { requeueLostMessages, requeueMedia } from './sweep.ts'
export { type MessageView, messageTaken, messageView, toMessageView } from './views.ts'
