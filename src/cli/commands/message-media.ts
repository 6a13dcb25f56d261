import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { TRPCClientError } from '@trpc/client'
import type { Command } from 'commander'
import { within } from '../../domain/context.ts'
import { getMediaFile } from '../../domain/messages/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { Outputs } from '../../trpc/client.ts'
import { idArgument } from '../arguments.ts'
import { UsageError } from '../exit.ts'
import type { Cli, Session } from '../session.ts'

type Message = Outputs['messages']['get']
type Media = Message['media'][number]

const KINDS: Record<Media['kind'], string> = {
  image: 'picture',
  video: 'video',
  audio: 'audio',
  voice: 'voice note',
  document: 'file',
  sticker: 'sticker',
}

export function summarizeMessage(message: Pick<Message, 'kind' | 'body' | 'media' | 'deletedAt' | 'data'>): string {
  if (message.deletedAt) return '[deleted]'
  const files = message.media.map((file) => `[${describeFile(file)}]`)
  const text = message.body.replaceAll('\n', ' ')
  const transcript = message.media.find((file) => file.transcript)?.transcript
  const parts = [...files, text || (transcript ? `“${transcript}”` : '')].filter(Boolean).join(' ')
  return parts || `[${(message.data.type ?? message.kind).replaceAll('_', ' ')}]`
}

function describeFile(file: Media): string {
  const length =
    file.seconds === null ? '' : ` ${Math.floor(file.seconds / 60)}:${String(file.seconds % 60).padStart(2, '0')}`
  return `${KINDS[file.kind]}${length}${file.fileName ? ` ${file.fileName}` : ''}`
}

export function describeDetails(message: Message): string[] {
  const line = (name: string, text: string) => `${name.padEnd(10)} ${text}`
  const { replyTo, reactions, votes, data } = message
  const person = (from: Message['reactions'][number]['from']) =>
    from.direction === 'out' ? 'us' : (from.name ?? from.phone ?? 'them')
  return [
    ...message.media.map((file) =>
      line('file', `${describeFile(file)}  ${file.contentType}  ${file.state}  ${file.id ?? file.url ?? ''}`.trimEnd()),
    ),
    ...message.media.flatMap((file) => (file.transcript ? [line('transcript', file.transcript)] : [])),
    ...(replyTo
      ? [line('reply to', `${replyTo.id ?? replyTo.providerMessageId}  ${replyTo.text ?? ''}`.trimEnd())]
      : []),
    ...reactions.map(({ emoji, from }) => line('reaction', `${emoji}  ${person(from)}`)),
    ...votes.map(({ options, from }) => line('vote', `${options.join(', ')}  ${person(from)}`)),
    ...(message.forwarded ? [line('forwarded', 'yes')] : []),
    ...(message.referral
      ? [line('came from', message.referral.headline ?? message.referral.url ?? 'an advertisement')]
      : []),
    ...(Object.keys(data).length > 0 ? [line('data', JSON.stringify(data))] : []),
  ]
}

export function addMediaCommand(messages: Command, { session, show, local }: Cli): void {
  messages
    .command('media')
    .description('save a file of a message')
    .addArgument(idArgument('the id of the file, or of a message with one file'))
    .option('--output <file>', 'default: the name of the file; - for standard output')
    .action(async (id: string, { output }: { output?: string }) => {
      const current = await session()
      const file = await chooseFile(current, id)
      const data = current.local
        ? await local(async (deps) => {
            const business = await current.client.businesses.get.query()
            const stored = await getMediaFile(within(deps.ctx, business.id), file.id)
            const object = await deps.storage.get(stored.storageKey)
            if (!object)
              throw new AppError(
                'not_found',
                'file_not_found',
                'The file is no longer in the storage. Restore the storage, or ask the sender again.',
              )
            return { body: object.body.stream(), name: file.fileName ?? stored.id }
          })
        : await download(current, file)
      const target = output ?? safeName(data.name)
      const saved = target === '-' ? null : createWriteStream(target, { flags: 'wx', mode: 0o600 })
      if (saved) await once(saved, 'open')
      const out = saved ?? process.stdout
      let bytes = 0
      for await (const chunk of data.body) {
        bytes += chunk.byteLength
        if (!out.write(chunk)) await once(out, 'drain')
      }
      if (!saved) return
      saved.end()
      await once(saved, 'finish')
      await show({ file: target, bytes }, () => `${target}  ${bytes} bytes`)
    })
}

async function chooseFile({ client }: Session, id: string): Promise<{ id: string; fileName: string | null }> {
  const message = await client.messages.get.query({ id }).catch((error: unknown) => {
    // It may be the id of a file.
    if (error instanceof TRPCClientError && error.data?.code === 'NOT_FOUND') return null
    throw error
  })
  const files = message?.media.flatMap((file) => (file.id ? [{ id: file.id, fileName: file.fileName }] : [])) ?? []
  if (!message) return { id, fileName: null }
  const [only, ...others] = files
  if (!only) throw new UsageError('This message has no file. `messages show` lists the files of a message.')
  if (others.length > 0)
    throw new UsageError(
      `This message has ${files.length} files. Name one of them: ${files.map((file) => file.id).join(' ')}`,
    )
  return only
}

async function download(current: Session, file: { id: string; fileName: string | null }) {
  const business = await current.client.businesses.get.query()
  const response = await fetch(`${current.url}/api/v1/media/${file.id}?download=1`, {
    headers: {
      'x-business-id': business.id,
      ...(current.apiKey ? { Authorization: `Bearer ${current.apiKey}` } : {}),
    },
  })
  if (!response.ok || !response.body) {
    await response.body?.cancel()
    if (response.status === 404)
      throw new AppError(
        'not_found',
        'media_not_found',
        'There is no file with this id. `messages show` lists the files of a message.',
      )
    if (response.status === 409)
      throw new AppError('conflict', 'media_pending', 'The file is still being fetched. Try again in a moment.')
    if (response.status === 410) throw new AppError('gone', 'media_unavailable', 'The file is no longer available.')
    throw new AppError(
      'unavailable',
      'media_not_served',
      `The installation answered ${response.status}. Try again, or look at its log.`,
    )
  }
  const encoded = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get('content-disposition') ?? '')?.[1]
  return { body: response.body, name: file.fileName ?? (encoded ? decodeURIComponent(encoded) : file.id) }
}

function safeName(name: string): string {
  const safe = name
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .replace(/[\\/:*?"<>|]/g, '_')
    .replace(/^\.+/, '')
    .slice(0, 200)
  return safe || 'file'
}
