import { z } from 'zod'
import { cleanSource } from '../clean-source.ts'
import { UNREADABLE_REASONS } from '../unreadable.ts'
import { FILE_KINDS } from './file-kind.ts'

/** What the process that reads is asked; the bytes follow in the next line. */
export const readRequest = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('file'), fileName: z.string() }),
  z.object({ kind: z.literal('page'), url: z.string(), contentType: z.string().nullable() }),
])
export type ReadRequest = z.infer<typeof readRequest>

/** What comes back was made of a stranger's bytes: it is checked and cleaned here, for all kinds. */
const source = z.string().transform(cleanSource)
const title = z.string().transform((text) => cleanSource(text).replaceAll('\n', ' ').slice(0, 300))
const failed = z.object({ ok: z.literal(false), reason: z.enum(UNREADABLE_REASONS), detail: z.string() })

export const fileAnswer = z.union([
  failed,
  z.object({
    ok: z.literal(true),
    kind: z.enum(FILE_KINDS),
    text: source,
    pages: z.number().int().nonnegative().nullable(),
    cut: z.boolean(),
  }),
])

export const pageAnswer = z.union([
  failed,
  z.object({
    ok: z.literal(true),
    title,
    text: source,
    links: z.array(z.string().max(4_000)).max(1_000),
    canonical: z.string().nullable(),
    noindex: z.boolean(),
    nofollow: z.boolean(),
  }),
])
