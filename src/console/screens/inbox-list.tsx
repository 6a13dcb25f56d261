import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { memo, useEffect, useMemo } from 'react'
import { Collection, ListBox, ListBoxItem, ListBoxLoadMoreItem, ListLayout, Virtualizer } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { useActions } from '../app/actions.ts'
import { query } from '../app/trpc.ts'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Ago, isolated, Phone } from '../ui/values.tsx'
import { type Conversation, conversationList, followList, type ListFilter } from './inbox-data.ts'

const inbox = getRouteApi('/inbox')
const ROW_HEIGHT = 76

export type View = 'all' | 'mine' | 'unassigned' | 'snoozed' | 'closed'

const FILTERS: Record<View, ListFilter> = {
  all: { status: 'open' },
  mine: { status: 'open', assignee: 'me' },
  unassigned: { status: 'open', assignee: 'none' },
  snoozed: { status: 'snoozed' },
  closed: { status: 'closed' },
}

/** The conversations that the address asks for, as far as they were scrolled to. */
export function useConversations() {
  const search = inbox.useSearch()
  const me = useQuery(query('account.me'))
  const myId = me.data?.user?.id
  const { view, unread } = search
  const filter = useMemo<ListFilter>(() => ({ ...FILTERS[view], ...(unread ? { unread: true } : {}) }), [view, unread])
  useEffect(() => followList(filter, myId), [filter, myId])
  const list = useInfiniteQuery(conversationList(filter))
  const items = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data])
  return { list, items }
}

/** Ten thousand rows, of which those on the screen are in the page. */
export function Conversations() {
  const t = useTranslations('inbox')
  const { contact } = inbox.useSearch()
  const navigate = useNavigate({ from: '/inbox' })
  const { list, items } = useConversations()
  const commands = useTranslations('commands')
  const move = (step: 1 | -1) => {
    const at = items.findIndex((item) => item.contactId === contact)
    const next = items[at < 0 ? 0 : at + step]
    if (next) void navigate({ search: (old) => ({ ...old, contact: next.contactId }), replace: contact !== undefined })
  }
  useActions([
    { id: 'next', label: commands('next'), key: 'KeyJ', run: () => move(1) },
    { id: 'previous', label: commands('previous'), key: 'KeyK', run: () => move(-1) },
  ])
  return (
    <Loaded of={list}>
      {() =>
        items.length === 0 ? (
          <Empty icon="chat">{t('empty')}</Empty>
        ) : (
          <Virtualizer layout={ListLayout} layoutOptions={{ rowHeight: ROW_HEIGHT }}>
            <ListBox
              aria-label={t('list')}
              selectionMode="single"
              disallowEmptySelection
              selectedKeys={contact ? [contact] : []}
              onSelectionChange={(keys) => {
                const [chosen] = keys === 'all' ? [] : [...keys]
                if (typeof chosen === 'string')
                  void navigate({ search: (old) => ({ ...old, contact: chosen }), replace: contact !== undefined })
              }}
              className="min-h-0 flex-1 overflow-y-auto"
            >
              {/* A row that did not change is not built again when others are loaded. */}
              <Collection items={items}>{(item) => <Row item={item} />}</Collection>
              <ListBoxLoadMoreItem
                isLoading={list.isFetchingNextPage}
                scrollOffset={3}
                onLoadMore={() => {
                  if (list.hasNextPage && !list.isFetchingNextPage) void list.fetchNextPage()
                }}
              >
                <p className="p-3 text-center text-muted text-sm">…</p>
              </ListBoxLoadMoreItem>
            </ListBox>
          </Virtualizer>
        )
      }
    </Loaded>
  )
}

const Row = memo(function Row({ item }: { item: Conversation }) {
  const t = useTranslations('inbox')
  return (
    <ListBoxItem
      id={item.contactId}
      textValue={item.contactName ?? item.phone ?? t('unknownCaller')}
      className="flex h-[76px] w-full cursor-pointer [contain:strict] items-center gap-3 border-line border-b px-4 text-start outline-offset-[-2px] hover:bg-raised data-[selected]:bg-accent-soft"
    >
      <span className="min-w-0 flex-1">
        <span className={`block truncate ${item.unread > 0 ? 'font-bold' : ''}`}>
          {item.contactName ? (
            <bdi>{item.contactName}</bdi>
          ) : item.phone ? (
            <Phone value={item.phone} />
          ) : (
            t('unknownCaller')
          )}
        </span>
        <Preview last={item.last} isUnread={item.unread > 0} />
      </span>
      <span className="flex shrink-0 flex-col items-end gap-1 text-sm">
        <Ago at={item.lastEventAt} className="text-muted" />
        {item.unread > 0 && (
          <span className="min-w-5 rounded-full bg-accent px-1.5 text-center text-accent-ink text-xs">
            <span aria-hidden="true">{item.unread}</span>
            <span className="sr-only">{t('unread', { count: item.unread })}</span>
          </span>
        )}
      </span>
    </ListBoxItem>
  )
})

const STATE_ICONS: Partial<Record<string, IconName>> = {
  queued: 'clock',
  sending: 'clock',
  sent: 'check',
  delivered: 'checks',
  read: 'checks',
  failed: 'warning',
  unknown: 'warning',
}

/** The latest message or call in one line: whose it is, how far it came, what it says. */
function Preview({ last, isUnread }: { last: Conversation['last']; isUnread: boolean }) {
  const t = useTranslations()
  if (!last) return <span className="block h-6" />
  if (last.kind === 'call')
    return (
      <span className="flex items-center gap-1 text-muted text-sm">
        <Icon name="phone" className="!size-4" />
        <span className="truncate">
          {last.state === 'live'
            ? t('call.live')
            : last.answeredBy === 'voicemail'
              ? t('call.voicemail')
              : t(`call.${last.direction}`)}
        </span>
      </span>
    )
  const icon = last.direction === 'out' ? STATE_ICONS[last.status] : undefined
  const isBad = last.status === 'failed' || last.status === 'unknown'
  return (
    <span className={`flex items-center gap-1 text-sm ${isBad ? 'text-danger' : isUnread ? 'text-ink' : 'text-muted'}`}>
      {icon && (
        <>
          <Icon name={icon} className={`!size-4 ${last.status === 'read' ? 'text-accent' : ''}`} />
          <span className="sr-only">{t(`message.${last.status}`)}</span>
        </>
      )}
      <span dir="auto" className="min-w-0 truncate">
        {previewText(last, t)}
      </span>
    </span>
  )
}

const CONTENTS = { location: 'location', contacts: 'contactCard', deleted: 'deleted', poll: 'poll' } as const
const FILES = {
  image: 'photo',
  video: 'video',
  audio: 'audio',
  voice: 'voice',
  document: 'document',
  sticker: 'sticker',
} as const

function previewText(
  last: Extract<NonNullable<Conversation['last']>, { kind: 'message' }>,
  t: ReturnType<typeof useTranslations<never>>,
): string {
  const content = Object.entries(CONTENTS).find(([kind]) => kind === last.content)?.[1]
  if (content) return last.text && last.content !== 'deleted' ? last.text : t(`message.${content}`)
  if (last.media)
    return last.text
      ? `${t(`message.${FILES[last.media]}`)}: ${isolated(last.text)}`
      : t(`message.${FILES[last.media]}`)
  return last.text || t('message.other')
}
