import { AppError } from '../../lib/errors.ts'
import { cleanText } from '../../lib/text.ts'
import { bareType } from './file-type.ts'
import { mediaKindOf } from './views.ts'

const MEGABYTE = 1_048_576

type MediaKind = 'image' | 'video' | 'audio' | 'voice' | 'document'

/** What a provider takes in one message. Lengths are in UTF-16 units, which are never fewer than a provider's characters. */
export type SendLimits = {
  text: number
  /** Words below a file; longer ones are sent after it. */
  caption: number
  captioned: readonly MediaKind[]
  files: number
  /** Content types that are taken, by kind; null takes any, as a document where there is nothing better. */
  types: Readonly<Record<MediaKind, RegExp>> | null
  bytes: number
  templates: boolean
}

/**
 * Twilio: text, "Error 21617" and "Error 21658" (1,600 characters); one file a message, "Sending and Receiving Media with
 * WhatsApp Messaging"; 16 MB a file, "Error 63005" and the same page; types, and that documents carry no words, "Guidance on WhatsApp Media Messages". Captions are
 * WhatsApp's: Cloud API, "Image messages" (1,024 characters).
 * Linked accounts: WhatsApp Web's own constants `MAX_TXT_MSG_SIZE` (65,536) and `MAX_CAPTION_LENGTH` (1,024); 64 MiB a file is
 * what is fetched here. Rates are no limit of what is accepted: what is above them waits in its queue.
 */
export const SEND_LIMITS: Readonly<Record<'twilio' | 'baileys', SendLimits>> = {
  twilio: {
    text: 1_600,
    caption: 1_024,
    captioned: ['image', 'video'],
    files: 1,
    types: {
      image: /^image\/(jpeg|jpg|png|webp)$/,
      video: /^video\/(mp4|3gpp)$/,
      audio: /^audio\/(ogg|opus|amr|3gpp|aac|mpeg|mp3|mp4)$/,
      voice: /^audio\/(ogg|opus|amr|3gpp|aac|mpeg|mp3|mp4)$/,
      document:
        /^(application\/(pdf|msword|vnd\.(openxmlformats-officedocument\.(wordprocessingml\.document|presentationml\.presentation|spreadsheetml\.sheet)|ms-excel|ms-powerpoint))|text\/(vcard|x-vcard|plain))$/,
    },
    bytes: 16 * MEGABYTE,
    templates: true,
  },
  baileys: {
    text: 65_536,
    caption: 1_024,
    captioned: ['image', 'video', 'document'],
    files: 1,
    types: null,
    bytes: 64 * MEGABYTE,
    templates: false,
  },
}

/** "Error 21656" (no empty value, line break or tab; at most four blanks in a row), "Error 21658" (1,600 characters). */
export const TEMPLATE_LIMITS = { variables: 100, value: 1_600, blanks: 4 }

export type FileToSend = { url: string; contentType?: string; fileName?: string; voice?: boolean }

/** What is known of a file before it is sent, beside what was asked; null where nothing is. */
export type FileFacts = { missing: boolean; contentType: string | null; bytes: number | null } | null

export type Template = { contentSid: string; variables: Record<string, string> }

export type MessagePart = { text: string; media: FileToSend[] | null; template: Template | null }

/**
 * The messages of a request, in order: long texts are split or refused, files are one each, and words a file cannot carry
 * follow it. `facts`: of each file. @throws AppError `text_too_long`, `media_type_not_supported`, `media_too_large`,
 * `media_missing`, `template_not_supported`, `template_with_content`, `invalid_template_variable`
 */
export function planParts(
  provider: 'twilio' | 'baileys',
  request: { text: string; media?: FileToSend[] | null; template?: Template | null },
  longText: 'split' | 'refuse',
  facts: readonly FileFacts[] = [],
): MessagePart[] {
  const limits = SEND_LIMITS[provider]
  const media = request.media ?? []
  if (request.template) return [templatePart(limits, request.template, request.text, media)]
  for (const [index, file] of media.entries()) checkFile(limits, file, index, facts[index] ?? null)
  if (longText === 'refuse' && request.text.length > limits.text)
    throw new AppError(
      'invalid',
      'text_too_long',
      `This is sent by a provider that takes ${limits.text} characters; shorten it, or let long texts be split.`,
      { field: 'text' },
    )
  const texts = request.text === '' ? [] : splitText(request.text, limits.text)
  const [first, ...others] = media
  if (!first) return texts.map((text) => ({ text, media: null, template: null }))
  const files: MessagePart[] = [first, ...others].map((file) => ({ text: '', media: [file], template: null }))
  const caption = request.text.length <= limits.caption && limits.captioned.includes(kindOf(first))
  if (caption) return files.map((part, index) => (index === 0 ? { ...part, text: request.text } : part))
  return [...files, ...texts.map((text) => ({ text, media: null, template: null }))]
}

function templatePart(limits: SendLimits, template: Template, text: string, media: FileToSend[]): MessagePart {
  if (!limits.templates)
    throw new AppError('invalid', 'template_not_supported', 'A linked account sends no templates; send a text.', {
      field: 'template',
    })
  if (text !== '' || media.length > 0)
    throw new AppError(
      'invalid',
      'template_with_content',
      'A template is sent without a text or media of its own; leave them out.',
      { field: text === '' ? 'media' : 'text' },
    )
  const variables = Object.entries(template.variables)
  const wrong = (name: string, why: string) =>
    new AppError('invalid', 'invalid_template_variable', `The variable ${why}.`, {
      field: `template.variables.${name}`,
    })
  if (variables.length > TEMPLATE_LIMITS.variables)
    throw wrong('', `list is longer than ${TEMPLATE_LIMITS.variables} entries`)
  for (const [name, value] of variables) {
    if (!/^[\w.-]{1,64}$/.test(name)) throw wrong('', 'has a name that no template has')
    if (value.trim() === '') throw wrong(name, 'is empty')
    if (value.length > TEMPLATE_LIMITS.value) throw wrong(name, `is longer than ${TEMPLATE_LIMITS.value} characters`)
    if (/[\n\r\t\u2028\u2029]/.test(value)) throw wrong(name, 'holds a line break or a tab, which WhatsApp refuses')
    if (new RegExp(` {${TEMPLATE_LIMITS.blanks + 1}}`).test(value))
      throw wrong(name, `holds more than ${TEMPLATE_LIMITS.blanks} blanks in a row, which WhatsApp refuses`)
  }
  return { text: '', media: null, template }
}

function checkFile({ types, bytes }: SendLimits, file: FileToSend, index: number, facts: FileFacts): void {
  const url = { field: `media.${index}.url` }
  if (facts?.missing)
    throw new AppError('invalid', 'media_missing', 'There is no file at the media address. Give another address.', url)
  if (facts?.bytes != null && facts.bytes > bytes)
    throw new AppError(
      'invalid',
      'media_too_large',
      `The file is larger than the ${bytes / MEGABYTE} MB that its provider takes; send a smaller one, or a link.`,
      url,
    )
  // A server that knows no type says this one.
  const found = facts?.contentType && !/octet-stream/i.test(facts.contentType) ? facts.contentType : undefined
  const contentType = file.contentType ?? found
  if (!types || !contentType) return
  const kind = kindOf({ ...file, contentType })
  if (types[kind].test(bareType(contentType))) return
  throw new AppError(
    'invalid',
    'media_type_not_supported',
    `WhatsApp over Twilio takes no ${bareType(contentType)}; send a type that it takes, such as PDF, JPEG or MP4.`,
    { field: `media.${index}.${file.contentType ? 'contentType' : 'url'}` },
  )
}

/** The providers that take such a file. */
export function takersOf(
  file: Pick<FileToSend, 'contentType' | 'voice'> & { bytes: number },
): ('twilio' | 'baileys')[] {
  const type = bareType(file.contentType ?? '')
  const kind = file.voice ? 'voice' : mediaKindOf(type)
  return PROVIDERS.filter((provider) => {
    const { types, bytes } = SEND_LIMITS[provider]
    return file.bytes <= bytes && (!types || types[kind].test(type))
  })
}

const PROVIDERS = ['twilio', 'baileys'] as const

function kindOf(file: FileToSend): MediaKind {
  return file.voice ? 'voice' : mediaKindOf(file.contentType ?? typeByName(file.url))
}

function typeByName(url: string): string | undefined {
  const extension = /\.(\w{2,5})$/.exec(URL.parse(url)?.pathname ?? '')?.[1]?.toLowerCase() ?? ''
  const family = Object.entries({
    image: ['jpg', 'jpeg', 'png', 'webp'],
    video: ['mp4', '3gp'],
    audio: ['ogg', 'opus', 'mp3', 'amr', 'aac', 'm4a'],
  }).find(([, extensions]) => extensions.includes(extension))?.[0]
  return family && `${family}/*`
}

/** Ends of a text at which it is best cut, best first. */
const BREAKS = [/\n\s*\n/g, /\n/g, /[.!?…:;]["'”’)\]]?\s/g, /\s/g]
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/**
 * Parts of at most `max` UTF-16 units, cut late at paragraphs, lines, sentences or words; in a word only if it is longer,
 * never in a grapheme. Only white space at a cut is lost.
 */
export function splitText(text: string, max: number): string[] {
  const parts: string[] = []
  let rest = text
  while (rest.length > max) {
    const end = cutBefore(rest, max)
    const part = rest.slice(0, end).trimEnd()
    if (part !== '') parts.push(part)
    rest = rest.slice(end).trimStart()
  }
  if (rest.trim() !== '') parts.push(rest)
  return parts
}

function cutBefore(text: string, max: number): number {
  // A cut may be right before white space, which then is no part of either.
  const window = text.slice(0, max + 1)
  for (const [rank, pattern] of BREAKS.entries()) {
    // A paragraph that would leave half of the part empty is no better place than a word.
    const least = rank === BREAKS.length - 1 ? 1 : max / 2
    const ends = [...window.matchAll(pattern)].map((match) => match.index + match[0].trimEnd().length)
    const last = ends.findLast((end) => end <= max && end >= least)
    if (last) return last
  }
  let end = 0
  for (const { index, segment } of graphemes.segment(text.slice(0, max + 64))) {
    if (index + segment.length > max) break
    end = index + segment.length
  }
  // One character of hostile length: between its code points.
  return end > 0 ? end : max - (cleanText(text.slice(0, max)) === text.slice(0, max) ? 0 : 1)
}
