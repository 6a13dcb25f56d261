import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { type DragEvent, useLayoutEffect, useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { pages, query } from '../app/trpc.ts'
import { Allowed } from '../ui/allowed.tsx'
import { Act } from '../ui/buttons.tsx'
import { Loaded } from '../ui/states.tsx'
import { Composer, type ComposerHandle } from './composer.tsx'
import { ownerOf, useWaiting, type WaitingMessage } from './composer-outbox.ts'
import type { Entry, EntryActions } from './entry.ts'
import { EntryView } from './thread-entry.tsx'
import { ThreadHead } from './thread-head.tsx'
import { WaitingBubble } from './thread-waiting.tsx'

/** How far above its end a thread still follows what is new. */
const FOLLOWS_PX = 120

/** Everything that happened with a contact, the newest at the bottom. */
export function Thread({ contactId, onDetails }: { contactId: string; onDetails(): void }) {
  const t = useTranslations()
  const timeline = useInfiniteQuery(pages('conversations.timeline', { contactId, limit: 50 }))
  const items = (timeline.data?.pages.flatMap((page) => page.items) ?? []).toReversed()
  const waiting = useOutbox(contactId)
  const composer = useRef<ComposerHandle | null>(null)
  const [isDraggedOver, setDraggedOver] = useState(false)
  const { box, list, toEnd } = useFollowedEnd()
  const actions: EntryActions = {
    onReply: (quote) => composer.current?.quote(quote),
    onWrite: (text) => {
      composer.current?.write(text)
      composer.current?.focus()
    },
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files are dropped anywhere; the button beside the text does the same
    <div
      className="relative flex min-h-0 flex-1 flex-col"
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes('Files')) return
        event.preventDefault()
        setDraggedOver(true)
      }}
      onDragLeave={(event) =>
        !event.currentTarget.contains(event.relatedTarget as Node | null) && setDraggedOver(false)
      }
      onDrop={(event) => {
        setDraggedOver(false)
        dropFiles(event, (files) => composer.current?.addFiles(files))
      }}
    >
      <ThreadHead contactId={contactId} onDetails={onDetails} onReply={() => composer.current?.focus()} />
      <div
        ref={box}
        className="min-h-0 flex-1 overflow-y-auto p-3 md:p-5"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by the keyboard
        tabIndex={0}
        role="log"
        aria-label={t('inbox.thread')}
      >
        <Loaded of={timeline}>
          {() => (
            <ol ref={list} className="flex flex-col gap-2">
              {timeline.hasNextPage && (
                <li className="self-center">
                  <Act look="quiet" onPress={() => void timeline.fetchNextPage()}>
                    {t('inbox.older')}
                  </Act>
                </li>
              )}
              <Entries items={items} actions={actions} contactId={contactId} />
              {waiting.map((message) => (
                <li key={message.key} className="flex flex-col">
                  <WaitingBubble message={message} onEdit={actions.onWrite} />
                </li>
              ))}
            </ol>
          )}
        </Loaded>
      </div>
      <Allowed to="agent">
        <Composer contactId={contactId} items={items} handle={composer} onSent={toEnd} />
      </Allowed>
      {isDraggedOver && (
        <p className="pointer-events-none absolute inset-2 flex items-center justify-center rounded-2xl border-2 border-accent border-dashed bg-accent-soft/90 font-semibold">
          {t('composer.drop')}
        </p>
      )}
    </div>
  )
}

function Entries({ items, actions, contactId }: { items: Entry[]; actions: EntryActions; contactId: string }) {
  return items.map((entry) => (
    <li key={`${entry.kind}${entry.id}`} className="flex flex-col">
      <EntryView entry={entry} contactId={contactId} {...actions} />
    </li>
  ))
}

/** What this member wrote to the contact and the server does not have yet. */
function useOutbox(contactId: string): WaitingMessage[] {
  const me = useQuery(query('account.me'))
  const owner = ownerOf(me.data)
  return useWaiting().filter((message) => message.contactId === contactId && message.owner === owner)
}

/** Keeps the end in sight while things grow, unless someone scrolled up to read. */
function useFollowedEnd() {
  const box = useRef<HTMLDivElement>(null)
  const observer = useRef<ResizeObserver | null>(null)
  const isFollowing = useRef(true)
  const toEnd = () => {
    isFollowing.current = true
    box.current?.scrollTo({ top: box.current.scrollHeight })
  }
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const onScroll = () => {
      isFollowing.current = element.scrollHeight - element.scrollTop - element.clientHeight < FOLLOWS_PX
    }
    element.addEventListener('scroll', onScroll, { passive: true })
    return () => element.removeEventListener('scroll', onScroll)
  }, [])
  const list = (element: HTMLOListElement | null) => {
    observer.current?.disconnect()
    if (!element) return
    observer.current = new ResizeObserver(() => {
      if (isFollowing.current) box.current?.scrollTo({ top: box.current.scrollHeight })
    })
    observer.current.observe(element)
  }
  return { box, list, toEnd }
}

function dropFiles(event: DragEvent, add: (files: File[]) => void) {
  const files = [...event.dataTransfer.files]
  if (files.length === 0) return
  event.preventDefault()
  add(files)
}
