import { and, eq } from 'drizzle-orm'
import { z } from 'zod'
import { type MESSAGE_WRITERS, messages } from '../../../db/schema/index.ts'
import { redactCards } from '../../lib/cards.ts'
import { AppError, errorMessage, isOvertaken } from '../../lib/errors.ts'
import { newId, sha256Hex } from '../../lib/ids.ts'
import { networkPhone, parsePhone } from '../../lib/phone.ts'
import { getBusiness } from '../businesses/index.ts'
import { findContactByPhone } from '../contacts/index.ts'
import type { BusinessContext } from '../context.ts'
import { refuseErasedCall } from '../erasures/index.ts'
import { jobId } from '../job-ids.ts'
import { type ChosenSender, chooseSender, type ProviderName, type SendSettings } from './choose-sender.ts'
import { enqueueSend } from './enqueue-send.ts'
import { type FileFacts, type FileToSend, planParts } from './limits.ts'
import { requestMessageFastPath } from './request-message-fast-path.ts'
import { findByKey, type InTransaction, requestMessageInSteps } from './request-message-steps.ts'
import type { MessageStatus } from './status.ts'
import type { SentUpload, Upload } from './uploads.ts'

const MAX_TEXT = 4096

export const sendRequest = z.object({
  /** `whatsapp:+972…`, `+972…` or `05x-…`. */
  to: z.string().max(64),
  text: z.string().max(MAX_TEXT).optional(),
  provider: z.string().max(32).optional(),
  media: z
    .array(
      z.object({
        url: z.url({ protocol: /^https?$/ }).max(2048),
        contentType: z.string().max(128).optional(),
        fileName: z.string().max(255).optional(),
        voice: z.boolean().optional(),
        /** What an uploaded voice note says, where it is known: kept as its transcript, and not sent. */
        transcript: z.string().trim().min(1).max(MAX_TEXT).optional(),
      }),
    )
    .max(10)
    .optional(),
  template: z
    .object({
      contentSid: z.string().regex(/^HX[0-9a-f]{32}$/i),
      variables: z.record(z.string(), z.string()).default({}),
    })
    .optional(),
  /** Our id of the message that is answered, or its provider's. */
  replyTo: z.string().max(128).optional(),
  idempotencyKey: z.string().min(1).max(128).optional(),
})
export type SendRequest = z.input<typeof sendRequest>

/**
 * Takes a message to send. The row is committed before its job or notification; the sweep queues a lost job, so an answer
 * means that it is safe. The same idempotency key and request answer the first message; `planParts` splits, all or none.
 * `ofCall`: a call SID; an erased call sends nothing. `inTransaction` runs in the transaction that writes the message, and what it
 * throws is thrown with nothing written. `preferred`: what `chooseSender` prefers. @throws AppError `unknown_provider`, `invalid_number`, `empty_text`,
 * `business_blocked`, `not_configured`, `account_not_linked`, `template_required`, `idempotency_conflict`,
 * `contact_opted_out`, `person_erased`, `upload_expired`, those of `planParts`; nothing is written then
 */
export async function requestMessage(
  ctx: BusinessContext,
  input: SendRequest,
  settings: SendSettings,
  ofCall: string | null = null,
  inTransaction?: InTransaction,
  preferred: ChosenSender | null = null,
): Promise<{ id: string; status: MessageStatus; parts?: string[] }> {
  const request = sendRequest.parse(input)
  if (ofCall) await refuseErasedCall(ctx.db, ofCall)
  const { business, asked, phone, text, requestHash } = await checkRequest(ctx, request)
  // A request that was answered once is answered the same, whatever has become of the providers since.
  const answered = request.idempotencyKey ? await findByKey(ctx.db, ctx, request.idempotencyKey) : null
  const what = { to: phone, free: !request.template }
  const sender = answered ? null : await chooseSender(ctx, asked, what, settings, business, preferred)
  const files = sender ? await lookAt(ctx, request.media ?? [], settings) : []
  const rows = sender ? await rowsOf(ctx, request, text, { ...sender, requestHash }, business.longText, files) : []
  const [row] = rows
  if (row && rows.length === 1 && !row.upload && !inTransaction) {
    const status = await requestMessageFastPath(ctx, phone, row).catch((error: unknown) => {
      // The contact was merged meanwhile; the steps below find out.
      if (isOvertaken(error)) return null
      throw error
    })
    if (status) {
      // A linked account's worker was woken by the same statement.
      if (row.provider !== 'baileys' || !row.accountId) await enqueueSend(ctx, row.id, row)
      return { id: row.id, status }
    }
  }
  const message = answered ?? (await requestMessageInSteps(ctx, phone, rows, ofCall, inTransaction))
  if (message.requestHash !== requestHash)
    throw new AppError('conflict', 'idempotency_conflict', 'This idempotency key was used for another message.', {
      field: 'idempotencyKey',
    })
  if (message.id !== row?.id) return await partsOf(ctx, message)
  for (const part of rows) await enqueueSend(ctx, part.id, part)
  for (const { upload } of rows) if (upload) await enqueueProcessing(ctx, upload.id)
  const { id, status } = message
  return { id, status, ...(rows.length > 1 ? { parts: rows.map((part) => part.id) } : {}) }
}

async function checkRequest(ctx: BusinessContext, request: z.output<typeof sendRequest>) {
  const business = await getBusiness(ctx)
  const asked = request.provider === undefined ? null : providerOf(request.provider)
  const phone = parsePhone(request.to) ?? (await numberOfContact(ctx, request.to))
  if (!phone)
    throw new AppError(
      'invalid',
      'invalid_number',
      'This is no phone number; write it as whatsapp:+972…, +972… or 05x-….',
      { field: 'to' },
    )
  const text = request.text?.trim() ? request.text : ''
  if (text === '' && !request.template && !request.media?.length)
    throw new AppError('invalid', 'empty_text', 'There is nothing to send: give a text, media or a template.', {
      field: 'text',
    })
  if (business.blockedAt)
    throw new AppError('forbidden', 'business_blocked', 'This business is blocked; nothing is sent for it.')
  const { media, template, replyTo } = request
  const requestHash = sha256Hex(
    JSON.stringify([asked ?? business.defaultWhatsappProvider, phone, text, media, template, replyTo]),
  )
  return { business, asked, phone, text, requestHash }
}

type AskedFile = { file: FileToSend; facts: FileFacts; upload: SentUpload | null }
type MediaRequest = FileToSend & { transcript?: string | undefined }

async function lookAt(
  ctx: BusinessContext,
  media: MediaRequest[],
  { uploads, probeMedia }: SendSettings,
): Promise<AskedFile[]> {
  return await Promise.all(
    media.map(async ({ transcript, ...file }) => {
      const upload = uploads?.read(file.url) ?? null
      if (upload?.businessId === ctx.businessId) return askedUpload(file, upload, transcript ?? null)
      const found = (await probeMedia?.(file.url)) ?? null
      return { file, facts: found?.missing ? { missing: true, contentType: null, bytes: null } : found, upload: null }
    }),
  )
}

function askedUpload({ url, voice }: FileToSend, upload: Upload, transcript: string | null): AskedFile {
  const { contentType, fileName, bytes } = upload
  const isVoice = voice ?? upload.voice
  return {
    file: { url, contentType, ...(fileName ? { fileName } : {}), ...(isVoice ? { voice: true } : {}) },
    facts: { missing: false, contentType, bytes },
    upload: { ...upload, voice: isVoice, transcript: isVoice && transcript ? redactCards(transcript) : null },
  }
}

/** Its small picture, or its words. The sweep does it where this cannot be queued. */
async function enqueueProcessing(ctx: BusinessContext, mediaId: string): Promise<void> {
  try {
    await ctx.enqueue(
      'message.process_media',
      { businessId: ctx.businessId, mediaId },
      { jobId: jobId('process', mediaId) },
    )
  } catch (error) {
    ctx.log.warn(
      { mediaId, error: errorMessage(error) },
      'the processing of a file could not be queued; the sweep will',
    )
  }
}

async function rowsOf(
  ctx: BusinessContext,
  request: z.output<typeof sendRequest>,
  text: string,
  sender: { provider: ProviderName; accountId: string | null; requestHash: string },
  longText: 'split' | 'refuse',
  files: AskedFile[],
) {
  const media = files.map(({ file }) => file)
  const facts = files.map((each) => each.facts)
  const parts = planParts(sender.provider, { ...request, text, media }, longText, facts)
  const id = newId()
  const replyTo = request.replyTo ? await providerIdOf(ctx, request.replyTo) : null
  return parts.map((part, index) => ({
    ...sender,
    id: index === 0 ? id : newId(),
    partOf: index === 0 ? null : id,
    part: index,
    kind: part.template ? 'template' : part.media ? 'media' : 'text',
    body: part.text,
    template: part.template,
    outboundMedia: part.media,
    upload: files.find(({ file }) => part.media?.includes(file))?.upload ?? null,
    writtenBy: writerOf(ctx),
    replyTo: index === 0 ? replyTo : null,
    idempotencyKey: index === 0 ? (request.idempotencyKey ?? null) : null,
    occurredAt: new Date(),
  }))
}

/** The actor id of the agent that answers messages. */
export const AGENT_ACTOR = 'agent'

/** The actor id of whoever uses the console or the command line on the machine itself, without a login. */
export const LOOPBACK_ACTOR = 'loopback'

function writerOf({ actor }: BusinessContext): (typeof MESSAGE_WRITERS)[number] {
  if (actor.kind === 'user' || (actor.kind === 'system' && actor.id === LOOPBACK_ACTOR)) return 'person'
  if (actor.kind === 'api_key') return 'integration'
  return actor.kind === 'system' && actor.id === AGENT_ACTOR ? 'agent' : 'system'
}

async function providerIdOf(ctx: BusinessContext, id: string): Promise<string> {
  if (!z.uuid().safeParse(id).success) return id
  const [row] = await ctx.db
    .select({ providerMessageId: messages.providerMessageId })
    .from(messages)
    .where(and(eq(messages.id, id), eq(messages.businessId, ctx.businessId)))
  return row?.providerMessageId ?? id
}

async function partsOf(ctx: BusinessContext, message: { id: string; status: MessageStatus }) {
  const parts = await ctx.db
    .select({ id: messages.id })
    .from(messages)
    .where(and(eq(messages.partOf, message.id), eq(messages.businessId, ctx.businessId)))
    .orderBy(messages.part)
  const ids = parts.map((part) => part.id)
  return { id: message.id, status: message.status, ...(ids.length > 0 ? { parts: [message.id, ...ids] } : {}) }
}

/** A number that a carrier named and the metadata do not know is good enough when it is a contact's. */
async function numberOfContact(ctx: BusinessContext, to: string): Promise<string | null> {
  const phone = networkPhone(to)
  return phone && (await findContactByPhone(ctx.db, ctx, phone)) ? phone : null
}

function providerOf(name: string): ProviderName {
  if (name === 'twilio' || name === 'baileys') return name
  throw new AppError('invalid', 'unknown_provider', 'The provider must be twilio or baileys.', { field: 'provider' })
}
