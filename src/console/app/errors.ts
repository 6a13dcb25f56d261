import { queryOptions, useQuery } from '@tanstack/react-query'
import { TRPCClientError } from '@trpc/client'
import { useTranslations } from 'use-intl'
import * as z from 'zod/mini'
import { type Locale, useLocale } from './i18n.tsx'

type Texts = { errors: Record<string, string>; fields: Record<string, string> }
type Findings = { FINDINGS: Record<string, string> }
const FINDINGS: Record<Locale, () => Promise<Findings>> = {
  he: () => import('../messages/he/findings.ts'),
  en: () => import('../messages/en/findings.ts'),
}
const LOADERS: Record<Locale, () => Promise<Texts>> = {
  he: () => import('../messages/he/errors.ts'),
  en: () => import('../messages/en/errors.ts'),
}

/** What refused requests say, in a language. Not part of the first load. */
export const errorTexts = (locale: Locale) =>
  queryOptions({
    queryKey: ['error-texts', locale],
    queryFn: LOADERS[locale],
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    networkMode: 'always',
    retry: 1,
  })

/** What the server answered to a request that it refused. */
export type Refusal = { code: string; field?: string | undefined; message?: string | undefined }

const refusal = z.object({ code: z.string(), message: z.optional(z.string()), field: z.optional(z.string()) })

/** The error of a request outside the typed API, such as an upload or the login. */
export class RefusedError extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message ?? refusal.code)
  }
}

/** What the page itself found, in the member's language. */
export class PageError extends Error {}

/** @returns null when no answer came */
export function refusalOf(error: unknown): Refusal | null {
  if (error instanceof RefusedError) return error.refusal
  if (!(error instanceof TRPCClientError)) return null
  return readRefusal(error.data?.error)
}

/** The refusal in the envelope of an answer; null when there is none. */
export function readRefusal(value: unknown): Refusal | null {
  const read = z.safeParse(refusal, value)
  return read.success ? read.data : null
}

/** Refusals that pass on what a vendor said: the reason is in its words alone. */
const WITH_DETAIL = new Set([
  'invalid_scenario',
  'scenarios_failed',
  'carrier_refused',
  'mail_refused',
  'model_refused',
  'payment_provider_refused',
  'refund_refused',
])

export type RefusalText = { text: string; detail: string | null }

/** Says in the member's language what a refused request means, never in the server's words alone. */
export function useRefusalText(): (refused: Refusal | null) => RefusalText {
  const t = useTranslations('state')
  const { locale } = useLocale()
  const texts = useQuery(errorTexts(locale))
  return (refused) => {
    if (!refused) return { text: t('unreachable'), detail: null }
    if (texts.isPending) return { text: '', detail: null }
    const code = refused.code.toLowerCase()
    const known = textIn(texts.data?.errors, code) ?? t('unknownError', { code })
    const name = code === 'invalid_input' ? textIn(texts.data?.fields, refused.field?.split('.').at(-1) ?? '') : null
    return {
      text: name ? `${known} ${t('errorField', { field: name })}` : known,
      detail: WITH_DETAIL.has(code) ? (refused.message ?? null) : null,
    }
  }
}

/** Says in the member's language what was found: in a row of a file, in a delivery, by the doctor. Null while it is loaded. */
export function useFindingText(): (found: { code?: string | null | undefined; message: string }) => string | null {
  const { locale } = useLocale()
  const errors = useQuery(errorTexts(locale))
  const findings = useQuery({
    queryKey: ['finding-texts', locale],
    queryFn: FINDINGS[locale],
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    networkMode: 'always',
    retry: 1,
  })
  return ({ code, message }) => {
    if (findings.isPending || errors.isPending) return null
    return (code && (textIn(findings.data?.FINDINGS, code) ?? textIn(errors.data?.errors, code))) || message
  }
}

function textIn(texts: Record<string, string> | undefined, key: string): string | null {
  return texts && Object.hasOwn(texts, key) ? (texts[key] ?? null) : null
}
