import { useState } from 'react'
import type { Quote, SentFile } from './composer-outbox.ts'

export type DraftFile = {
  key: string
  name: string
  type: string
  bytes: number
  voice: boolean
  /** Of a picture or recording of this page. */
  preview: string | null
  /** From 0 to 1. */
  progress: number
  /** What the server made of it; null until then. */
  sent: SentFile | null
  /** Why it cannot be sent. */
  problem: string | null
}

export type Draft = { text: string; isNote: boolean; files: DraftFile[]; quote: Quote | null }
const NOTHING: Draft = { text: '', isNote: false, files: [], quote: null }

/** What is being written to a contact, stored until it was sent: neither a reload nor a server that is away loses it. */
export function useDraft(contactId: string) {
  const key = `draft-${contactId}`
  const [draft, setDraft] = useState<Draft>(() => readDraft(key))
  const change = (by: Partial<Draft> | ((old: Draft) => Draft)) =>
    setDraft((old) => {
      const next = typeof by === 'function' ? by(old) : { ...old, ...by }
      writeDraft(key, next)
      return next
    })
  return { draft, change, clear: () => change(NOTHING) }
}

function readDraft(key: string): Draft {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? '{}')
    return { ...NOTHING, ...(typeof stored === 'object' ? stored : {}) }
  } catch {
    return NOTHING
  }
}

/** A file whose upload did not end cannot be kept; the others lie at the server. */
function writeDraft(key: string, draft: Draft) {
  const files = draft.files.flatMap((file) => (file.sent ? [{ ...file, preview: null }] : []))
  if (draft.text === '' && files.length === 0 && !draft.quote) localStorage.removeItem(key)
  else localStorage.setItem(key, JSON.stringify({ ...draft, files }))
}
