import { useQuery } from '@tanstack/react-query'
import { type ClipboardEvent, useEffect, useRef, useState } from 'react'
import { FileTrigger } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { query } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Icon } from '../ui/icon.tsx'
import { Written } from '../ui/values.tsx'
import { type Draft, useDraft } from './composer-draft.ts'
import { ComposerFiles } from './composer-files.tsx'
import { type Quote, sendLater } from './composer-outbox.ts'
import { PaymentPopup } from './composer-payment.tsx'
import { Recorder } from './composer-recorder.tsx'
import { TemplatePopup } from './composer-template.tsx'
import { useFiles } from './composer-use-files.ts'
import type { Entry } from './entry.ts'

const WINDOW_MS = 24 * 3_600_000

/** What the thread asks of the composer. */
export type ComposerHandle = {
  quote(quote: Quote): void
  write(text: string): void
  focus(): void
  addFiles(files: File[]): void
}

/** Sends a message to the contact, or adds a note for the team. What is written stays stored until the server has it. */
export function Composer({
  contactId,
  items,
  handle,
  onSent,
}: {
  contactId: string
  items: Entry[]
  handle: React.RefObject<ComposerHandle | null>
  onSent(): void
}) {
  const t = useTranslations()
  const { draft, change, clear } = useDraft(contactId)
  const box = useRef<HTMLTextAreaElement>(null)
  const [popup, setPopup] = useState<'payment' | 'template' | null>(null)
  const contact = useQuery(query('contacts.get', { id: contactId }))
  const business = useQuery(query('businesses.get'))
  // An answer goes back to the number that the person wrote to.
  const provider = draft.quote?.provider ?? lastWritten(items)?.data.provider ?? null
  const files = useFiles(change, provider ?? business.data?.defaultWhatsappProvider ?? null)
  handle.current = {
    quote: (quote) => {
      change({ quote, isNote: false })
      box.current?.focus()
    },
    write: (text) => change({ text }),
    focus: () => box.current?.focus(),
    addFiles: files.add,
  }
  const phone = contact.data?.phone ?? null
  const optedOut = contact.data?.optedOutAt != null
  const isShut = windowIsShut(items)
  const isReady = readyToSend(draft) && (draft.isNote || (phone !== null && !optedOut && !isShut))
  const submit = () => {
    if (!isReady) return
    const sent = draft.isNote ? [] : draft.files.flatMap((file) => file.sent ?? [])
    const { text, isNote, quote } = draft
    sendLater({
      contactId,
      isNote,
      phone,
      text: text.trim(),
      files: sent,
      quote: isNote ? null : quote,
      provider: isNote ? null : provider,
      template: null,
    })
    clear()
    onSent()
  }
  const isBlocked = draft.isNote || phone === null || optedOut
  return (
    <form
      className={`flex flex-col gap-2 border-line border-t p-3 ${draft.isNote ? 'bg-warn-soft' : 'bg-surface'}`}
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
      onPaste={(event) => pasteFiles(event, isBlocked, files.add)}
    >
      {!draft.isNote && optedOut && <p className="text-danger text-sm">{t('inbox.optedOut')}</p>}
      {!draft.isNote && !optedOut && isShut && (
        <p className="flex flex-wrap items-center gap-2 text-sm text-warn">
          {t('inbox.window')}
          <Act onPress={() => setPopup('template')}>{t('composer.template')}</Act>
        </p>
      )}
      {draft.quote && !draft.isNote && <Quoted quote={draft.quote} onRemove={() => change({ quote: null })} />}
      {!draft.isNote && <ComposerFiles files={draft.files} onRemove={files.remove} />}
      <div className="flex items-end gap-2">
        <Text ref={box} draft={draft} onChange={(text) => change({ text })} onSubmit={submit} />
        <Act type="submit" look="main" isDisabled={!isReady} className="min-h-11">
          <Icon name="send" className="rtl:-scale-x-100" />
          <span className="hidden sm:inline">{t('inbox.send')}</span>
          <span className="sr-only sm:hidden">{t('inbox.send')}</span>
        </Act>
      </div>
      <div className="flex flex-wrap items-center gap-1">
        <FileTrigger allowsMultiple onSelect={(list) => files.add([...(list ?? [])])}>
          <Act look="quiet" aria-label={t('composer.attach')} isDisabled={isBlocked || isShut}>
            <Icon name="clip" />
          </Act>
        </FileTrigger>
        <Recorder
          isDisabled={isBlocked || isShut}
          onRecorded={(blob, voice) => files.addRecording(blob, t('composer.voiceNote'), voice)}
        />
        <Act look="quiet" aria-label={t('money.request')} isDisabled={isBlocked} onPress={() => setPopup('payment')}>
          <Icon name="card" />
        </Act>
        <label className="ms-auto flex min-h-9 items-center gap-2 text-muted text-sm">
          <input
            type="checkbox"
            checked={draft.isNote}
            onChange={(event) => change({ isNote: event.target.checked })}
            className="size-4"
          />
          {t('inbox.note')} <span className="hidden sm:inline">({t('inbox.noteHint')})</span>
        </label>
      </div>
      {popup === 'payment' && <PaymentPopup contactId={contactId} onClose={() => setPopup(null)} />}
      {popup === 'template' && phone && (
        <TemplatePopup contactId={contactId} phone={phone} onClose={() => setPopup(null)} />
      )}
    </form>
  )
}

function Text({
  ref,
  draft,
  onChange,
  onSubmit,
}: {
  ref: React.RefObject<HTMLTextAreaElement | null>
  draft: Draft
  onChange(text: string): void
  onSubmit(): void
}) {
  const t = useTranslations('inbox')
  const label = draft.isNote ? t('notePlaceholder') : t('write')
  // A message of many lines is seen whole as far as the screen allows.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useEffect(() => {
    const element = ref.current
    if (!element) return
    element.style.height = 'auto'
    element.style.height = `${Math.min(element.scrollHeight + 2, 160)}px`
  }, [draft.text, ref])
  return (
    <textarea
      ref={ref}
      id="composer"
      dir="auto"
      rows={1}
      value={draft.text}
      aria-label={label}
      placeholder={label}
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
        event.preventDefault()
        onSubmit()
      }}
      className="min-h-11 flex-1 resize-none rounded-xl border border-line bg-page px-3 py-2"
    />
  )
}

function Quoted({ quote, onRemove }: { quote: Quote; onRemove(): void }) {
  const t = useTranslations()
  return (
    <div className="flex items-center gap-2 border-accent border-s-4 ps-2 text-muted text-sm">
      <span className="min-w-0 flex-1">
        <span className="sr-only">{t('message.replyTo')} </span>
        <Written className="line-clamp-2">{quote.text}</Written>
      </span>
      <Act look="quiet" aria-label={t('composer.noReply')} onPress={onRemove}>
        <Icon name="cross" />
      </Act>
    </div>
  )
}

function pasteFiles(event: ClipboardEvent, isBlocked: boolean, add: (files: File[]) => void) {
  const files = [...event.clipboardData.files]
  if (files.length === 0 || isBlocked) return
  event.preventDefault()
  add(files)
}

function readyToSend({ text, isNote, files }: Draft): boolean {
  if (isNote) return text.trim() !== ''
  if (files.some((file) => file.problem !== null || !file.sent)) return false
  return text.trim() !== '' || files.length > 0
}

/** Whether WhatsApp takes only templates over the platform that the person wrote on last. */
function windowIsShut(items: Entry[]): boolean {
  const last = lastWritten(items)
  return last?.data.provider === 'twilio' && Date.now() - new Date(last.at).getTime() > WINDOW_MS
}

/** The latest message that the person wrote. */
function lastWritten(items: Entry[]) {
  return items.findLast((entry) => entry.kind === 'message' && entry.data.direction === 'in') as
    | Extract<Entry, { kind: 'message' }>
    | undefined
}
