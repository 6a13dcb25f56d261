import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useActions } from '../app/actions.ts'
import { fileAddress } from '../app/base.ts'
import { pages, query } from '../app/trpc.ts'
import { Allowed } from '../ui/allowed.tsx'
import { Act } from '../ui/buttons.tsx'
import { MoreRow } from '../ui/more.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Ago, Phone } from '../ui/values.tsx'
import { ContactForm } from './contact-form.tsx'
import { ContactsImport } from './contacts-import.tsx'

const route = getRouteApi('/contacts')

export function Contacts() {
  const t = useTranslations()
  const { q, create, name } = route.useSearch()
  const navigate = useNavigate({ from: '/contacts' })
  const [text, setText] = useState(q ?? '')
  useEffect(() => {
    const timer = setTimeout(
      () => void navigate({ search: (old) => ({ ...old, q: text || undefined }), replace: true }),
      250,
    )
    return () => clearTimeout(timer)
  }, [text, navigate])
  const isSearch = q !== undefined && q.length > 1
  const all = useInfiniteQuery({ ...pages('contacts.list', { limit: 50 }), enabled: !isSearch })
  const found = useQuery({ ...query('search.all', { q: q ?? '', kinds: ['contacts'], limit: 50 }), enabled: isSearch })
  const items = isSearch ? (found.data?.contacts ?? []) : (all.data?.pages.flatMap((page) => page.items) ?? [])
  const me = useQuery(query('account.me'))
  const mayManage = me.data?.role === 'manager' || me.data?.role === 'owner'
  const [over, setOver] = useState<'create' | 'import' | null>(null)
  const close = () => {
    setOver(null)
    if (create !== undefined) void navigate({ search: (old) => ({ q: old.q }), replace: true })
  }
  useActions([{ id: 'newContact', label: t('commands.newContact'), key: 'KeyN', run: () => setOver('create') }])
  return (
    <>
      <Heading
        aside={
          <>
            <input
              type="search"
              dir="auto"
              aria-label={t('contact.search')}
              placeholder={t('contact.search')}
              value={text}
              onChange={(event) => setText(event.target.value)}
              className="min-w-0 max-w-xs flex-1 rounded-lg border border-line bg-page px-3 py-1.5"
            />
            <div className="flex flex-wrap gap-1">
              <Allowed to="agent">
                <Act look="main" onPress={() => setOver('create')}>
                  {t('contact.create')}
                </Act>
              </Allowed>
              {mayManage && (
                <>
                  <Act onPress={() => setOver('import')}>{t('contact.import')}</Act>
                  <a
                    href={fileAddress('/api/v1/exports/contacts.csv')}
                    className="inline-flex min-h-9 items-center rounded-lg border border-line px-3 py-1 hover:bg-raised"
                  >
                    {t('contact.export')}
                  </a>
                </>
              )}
            </div>
          </>
        }
      >
        {t('contact.title')}
      </Heading>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <Loaded<unknown> of={isSearch ? found : all}>
          {() =>
            items.length === 0 ? (
              <Empty icon="people">{q ? t('state.noResults') : t('contact.empty')}</Empty>
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
                {!isSearch && <MoreRow of={all} />}
              </ul>
            )
          }
        </Loaded>
      </div>
      {(over === 'create' || create !== undefined) && (
        <ContactForm
          contact={null}
          given={{ phone: create, name }}
          onClose={(saved) => {
            close()
            if (saved) void navigate({ to: '/inbox', search: { view: 'all', contact: saved.id } })
          }}
        />
      )}
      {over === 'import' && <ContactsImport onClose={close} />}
    </>
  )
}
