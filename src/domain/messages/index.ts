export { abandonAccountMessages } from './abandon-account.ts'
export { countCallMessages, keyOfCallMessage } from './call-messages.ts'
export { changeMessage, pruneEarlyDeletions } from './change-message.ts'
export { lastWrittenTo, type SendSettings, WHATSAPP_PROVIDERS } from './choose-sender.ts'
export { decideMessage } from './decide-message.ts'
export { deliverMessage } from './deliver-message.ts'
export { moveToFallback, moveWaitingToFallback } from './fallback.ts'
export { fetchMessageMedia } from './fetch-media.ts'
export { handleMessage } from './handle-message.ts'
export { getMediaFile, getMediaThumbnail, type MediaFile } from './media-files.ts'
export { type DescribedContent, describeContent } from './message-content.ts'
export { outboundOf, partyPhone } from './outbound.ts'
export { processMedia, requeueUnprocessedMedia } from './process-media.ts'
export {
  getMessage,
  getMessages,
  isFoldedSql,
  listMessages,
  messageFilters,
  relatedSql,
  waitForMessage,
} from './queries.ts'
export { reaction, reactToMessage } from './react.ts'
export { receiveMessage, takeInbound } from './receive-message.ts'
export { AGENT_ACTOR, LOOPBACK_ACTOR, requestMessage, sendRequest } from './request-message.ts'
export { requeueMessage } from './requeue-message.ts'
export { applyMessageStatus } from './status.ts'
export { requeueLostMessages, requeueMedia } from './sweep.ts'
export { listTemplates, templateView } from './templates.ts'
export { createUploadLinks, storeUpload, type UploadLinks, uploadKey, uploadView } from './uploads.ts'
export { type MessageView, messageTaken, messageView, toMessageView } from './views.ts'
export { withdrawOvertaken } from './withdraw-overtaken.ts'
