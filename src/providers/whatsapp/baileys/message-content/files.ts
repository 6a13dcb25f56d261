import type { proto } from '@whiskeysockets/baileys'
import type { InboundMedia } from '../../port.ts'
import { describeFile, type FileKind } from '../media.ts'
import { labelOf, textOf } from './text.ts'

type FileNode =
  | proto.Message.IImageMessage
  | proto.Message.IVideoMessage
  | proto.Message.IAudioMessage
  | proto.Message.IDocumentMessage
  | proto.Message.IStickerMessage

/** A file of a message. Without its key or address it is shown as unavailable. */
export function fileOf(kind: FileKind, node: FileNode): InboundMedia {
  return describeFile(kind, {
    ...node,
    ptt: 'ptt' in node ? node.ptt : null,
    seconds: 'seconds' in node ? node.seconds : null,
    fileName: 'fileName' in node ? node.fileName || node.title : null,
    jpegThumbnail: 'jpegThumbnail' in node ? node.jpegThumbnail : null,
    viewOnce: 'viewOnce' in node ? node.viewOnce : null,
    gifPlayback: 'gifPlayback' in node ? node.gifPlayback : null,
  })
}

export function media(kind: FileKind, node: FileNode) {
  const caption = textOf('caption' in node ? node.caption : '')
  return {
    content: { kind: 'media' as const, media: [fileOf(kind, node)], text: caption },
    context: node.contextInfo ?? null,
  }
}

/** A document may be a contact card: its text is then in the file, and only its name is available here. */
export function documentMedia(node: proto.Message.IDocumentMessage) {
  const read = media('document', node)
  const title = labelOf(node.title)
  const named = read.content.media[0]?.fileName
  return title && title !== named && !read.content.text ? { ...read, content: { ...read.content, text: title } } : read
}
