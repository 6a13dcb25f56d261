import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslations } from 'use-intl'
import { pages } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Ago, Phone } from '../ui/values.tsx'

const route = getRouteApi('/contacts')

export function Contacts() {
  const t = useTranslations()
  const { q } = route.useSearch()
  const navigate = useNavigate({ from: '/contacts' })
  const [text, setText] = useState(q ?? '')
  useEffect(() => {
    const timer = setTimeout(
      () => void navigate({ search: (old) => ({ ...old, q: text || undefined }), replace: true }),
      250,
    )
    return () => clearTimeout(timer)
  }, [text, navigate])
  const list = useInfiniteQuery(pages('contacts.list', { ...(q && q.length > 1 ? { search: q } : {}), limit: 50 }))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <>
      <Heading
        aside={
          <input
            type="search"
            dir="auto"
            aria-label={t('contact.search')}
            placeholder={t('contact.search')}
            value={text}
            onChange={(event) => setText(event.target.value)}
            className="min-w-0 max-w-xs flex-1 rounded-lg border border-line bg-page px-3 py-1.5"
          />
        }
      >
        {t('contact.title')}
      </Heading>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <Loaded of={list}>
          {() =>
            items.length === 0 ? (
              <Empty>{q ? t('state.noResults') : t('contact.empty')}</Empty>
            ) : (
              <ul>
                {items.map((contact) => (
                  <li key={contact.id}>
                    <Link
                      to="/inbox"
                      search={{ view: 'all', contact: contact.id }}
                      className="flex items-center gap-3 border-line border-b px-4 py-3 hover:bg-raised"
                    >
                      <span className="min-w-0 flex-1 truncate">
                        {contact.name ? <bdi>{contact.name}</bdi> : t('contact.noName')}
                      </span>
                      {contact.phone && <Phone value={contact.phone} />}
                      <Ago at={contact.createdAt} className="hidden text-muted text-sm sm:block" />
                    </Link>
                  </li>
                ))}
                {list.hasNextPage && (
                  <li className="p-3 text-center">
                    <Act onPress={() => void list.fetchNextPage()}>{t('state.more')}</Act>
                  </li>
                )}
              </ul>
            )
          }
        </Loaded>
      </div>
    </>
  )
}
