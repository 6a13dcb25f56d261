import { z } from 'zod'
import { MEDIA_KINDS, MESSAGE_STATUSES, messageMedia, messages } from '../../../db/schema/index.ts'
import { messageData, messageReferral, readMessageData } from './message-data.ts'

export const mediaView = z.object({
  /** null for a file of an outbound message that lies at `url` and is not kept here. */
  id: z.uuid().nullable(),
  kind: z.enum(MEDIA_KINDS),
  contentType: z.string(),
  fileName: z.string().nullable(),
  bytes: z.number().nullable(),
  seconds: z.number().nullable(),
  /** `pending`: being fetched; `failed`, `unavailable`: cannot be had; `external`: lies at `url`, not here. */
  state: z.enum([...messageMedia.state.enumValues, 'external']),
  /** Below `PUBLIC_BASE_URL`; null while the file is not here. */
  url: z.string().nullable(),
  /** A small JPEG, below `PUBLIC_BASE_URL`; may be there although the file is not. */
  thumbnailUrl: z.string().nullable(),
  /** What is said in a voice note, once transcribed. */
  transcript: z.string().nullable(),
})
export type MediaView = z.infer<typeof mediaView>

const reactionBy = z.object({
  direction: z.enum(messages.direction.enumValues),
  phone: z.string().nullable(),
  name: z.string().nullable(),
})

export const messageView = z.object({
  id: z.uuid(),
  conversationId: z.uuid(),
  contactId: z.uuid(),
  phone: z.string().nullable(),
  contactName: z.string().nullable(),
  direction: z.enum(messages.direction.enumValues),
  provider: z.enum(messages.provider.enumValues),
  kind: z.string(),
  status: z.enum(MESSAGE_STATUSES),
  body: z.string(),
  data: messageData,
  media: z.array(mediaView),
  /** The message that is answered, or that a reaction, vote or edit is about. */
  replyTo: z
    .object({
      id: z.uuid().nullable(),
      providerMessageId: z.string(),
      text: z.string().nullable(),
    })
    .nullable(),
  editedAt: z.date().nullable(),
  deletedAt: z.date().nullable(),
  reactions: z.array(z.object({ emoji: z.string(), from: reactionBy, at: z.date() })),
  votes: z.array(z.object({ options: z.array(z.string()), from: reactionBy, at: z.date() })),
  forwarded: z.boolean(),
  referral: messageReferral.nullable(),
  partOf: z.uuid().nullable(),
  providerMessageId: z.string().nullable(),
  errorCode: z.string().nullable(),
  errorMessage: z.string().nullable(),
  sentAt: z.date().nullable(),
  deliveredAt: z.date().nullable(),
  readAt: z.date().nullable(),
  failedAt: z.date().nullable(),
  occurredAt: z.date(),
  createdAt: z.date(),
})
export type MessageView = z.infer<typeof messageView>

export const messageTaken = z.object({
  id: z.uuid(),
  status: z.enum(MESSAGE_STATUSES),
  parts: z.array(z.uuid()).optional(),
})

const related = z.object({
  files: z
    .array(
      z.object({
        id: z.uuid(),
        kind: z.enum(MEDIA_KINDS),
        contentType: z.string(),
        fileName: z.string().nullable(),
        bytes: z.number().nullable(),
        seconds: z.number().nullable(),
        state: z.enum(messageMedia.state.enumValues),
        hasThumbnail: z.boolean(),
        transcript: z.string().nullable(),
      }),
    )
    .nullable(),
  about: z
    .array(
      z.object({
        kind: z.enum(['reaction', 'poll_vote']),
        body: z.string(),
        options: z.array(z.string()).nullable().catch(null),
        direction: z.enum(messages.direction.enumValues),
        author: z
          .object({ phone: z.string().nullish(), lid: z.string().nullish(), name: z.string().nullish() })
          .nullish(),
        at: z.coerce.date(),
      }),
    )
    .nullable(),
  answered: z.object({ id: z.uuid(), text: z.string() }).nullable(),
})

export type RelatedColumns = {
  data: unknown
  outboundMedia: { url: string; contentType?: string; fileName?: string; voice?: boolean }[] | null
  replyTo: string | null
  files: unknown
  about: unknown
  answered: unknown
}

type ViewFields = Pick<MessageView, 'data' | 'media' | 'replyTo' | 'reactions' | 'votes' | 'forwarded' | 'referral'>

/** Turns what a query read of a message into its view. @param row with the contact's `phone` and `contactName` */
export function toMessageView<Row extends RelatedColumns & { phone: string | null; contactName: string | null }>(
  row: Row,
): Omit<Row, keyof RelatedColumns> & ViewFields {
  const { data: stored, outboundMedia, replyTo, files, about, answered, ...columns } = row
  const found = related.parse({ files, about, answered })
  const { data, extras } = readMessageData(stored)
  const by = foldByPerson(found.about ?? [], row)
  return {
    ...columns,
    data,
    // What was uploaded to be sent lies here; its outbound address is the provider's.
    media: found.files?.length ? found.files.map(viewFile) : (outboundMedia ?? []).map(viewOutboundFile),
    replyTo: replyTo
      ? {
          id: found.answered?.id ?? null,
          providerMessageId: replyTo,
          text: extras.quoted ?? found.answered?.text ?? null,
        }
      : null,
    reactions: by.flatMap(({ kind, body: emoji, from, at }) =>
      kind === 'reaction' && emoji ? [{ emoji, from, at }] : [],
    ),
    votes: by.flatMap(({ kind, options, from, at }) =>
      kind === 'poll_vote' && options?.length ? [{ options, from, at }] : [],
    ),
    forwarded: extras.forwarded ?? (extras.forwardScore ?? 0) > 0,
    referral: extras.referral ?? null,
  }
}

type About = NonNullable<z.infer<typeof related>['about']>[number]

/** The latest entry of each person: who reacts twice has one reaction, who takes it back has none. */
function foldByPerson(about: About[], contact: { phone: string | null; contactName: string | null }) {
  const last = new Map<string, About & { from: z.infer<typeof reactionBy> }>()
  for (const entry of about) {
    const { direction, author } = entry
    const who = direction === 'out' ? 'us' : (author?.phone ?? author?.lid ?? 'contact')
    const from =
      direction === 'out'
        ? { direction, phone: null, name: null }
        : author
          ? { direction, phone: author.phone ?? null, name: author.name ?? null }
          : { direction, phone: contact.phone, name: contact.contactName }
    last.set(`${entry.kind} ${who}`, { ...entry, from })
  }
  return [...last.values()]
}

function viewFile(file: NonNullable<z.infer<typeof related>['files']>[number]): MediaView {
  const { hasThumbnail, ...columns } = file
  const url = `/api/v1/media/${file.id}`
  return {
    ...columns,
    url: file.state === 'stored' ? url : null,
    thumbnailUrl: hasThumbnail ? `${url}/thumbnail` : null,
  }
}

function viewOutboundFile(file: NonNullable<RelatedColumns['outboundMedia']>[number]): MediaView {
  return {
    id: null,
    kind: file.voice ? 'voice' : mediaKindOf(file.contentType),
    contentType: file.contentType ?? 'application/octet-stream',
    fileName: file.fileName ?? null,
    bytes: null,
    seconds: null,
    state: 'external',
    url: file.url,
    thumbnailUrl: null,
    transcript: null,
  }
}

export function mediaKindOf(contentType: string | undefined): 'image' | 'video' | 'audio' | 'document' {
  const family = contentType?.toLowerCase().split('/')[0]
  return family === 'image' || family === 'video' || family === 'audio' ? family : 'document'
}
