import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Popup } from '../ui/popup.tsx'
import { national, Phone } from '../ui/values.tsx'
import type { Contact } from './contact-form.tsx'

/** Makes two contacts one. What becomes of what is shown before: it cannot be undone. */
export function ContactMerge({ contact, onClose }: { contact: Contact; onClose(): void }) {
  const t = useTranslations('contact')
  const [text, setText] = useState('')
  const [other, setOther] = useState<Contact | null>(null)
  const q = text.trim()
  const found = useQuery({ ...query('search.all', { q, kinds: ['contacts'], limit: 8 }), enabled: q.length > 1 })
  const people = (q.length > 1 ? (found.data?.contacts ?? []) : []).filter(({ id }) => id !== contact.id)
  const merge = useMutation({
    ...mutation('contacts.merge'),
    onSuccess: () => {
      void queryClient.invalidateQueries()
      onClose()
    },
  })
  return (
    <Popup title={t('merge')} isOpen onClose={onClose}>
      {other ? (
        <>
          <Outcome kept={contact} gone={other} />
          <p className="text-sm text-warn">{t('mergeForGood')}</p>
          <Problem error={merge.error} />
          <div className="flex gap-2">
            <Act
              look="main"
              isDisabled={merge.isPending}
              onPress={() => merge.mutate({ id: contact.id, duplicateId: other.id })}
            >
              {t('mergeNow')}
            </Act>
            <Act onPress={() => setOther(null)}>{t('mergeOther')}</Act>
          </div>
        </>
      ) : (
        <>
          <input
            type="search"
            dir="auto"
            aria-label={t('mergeSearch')}
            placeholder={t('mergeSearch')}
            value={text}
            onChange={(event) => setText(event.target.value)}
            className="w-full rounded-lg border border-line bg-page px-3 py-2"
          />
          <ul className="flex flex-col gap-1">
            {people.map((person) => (
              <li key={person.id}>
                <Act className="w-full !justify-between" onPress={() => setOther(person)}>
                  <bdi className="truncate">{person.name ?? t('noName')}</bdi>
                  {person.phone && <Phone value={person.phone} />}
                </Act>
              </li>
            ))}
          </ul>
        </>
      )}
    </Popup>
  )
}

/** The rules of a merge, on these two: what the kept contact has stays, what it lacks comes from the other. */
function Outcome({ kept, gone }: { kept: Contact; gone: Contact }) {
  const t = useTranslations('contact')
  const fields = [
    { name: t('name'), from: kept.name, other: gone.name, further: false },
    {
      name: t('phone'),
      from: kept.phone && national(kept.phone),
      other: gone.phone && national(gone.phone),
      further: true,
    },
    { name: t('email'), from: kept.email, other: gone.email, further: false },
  ]
  const tags = [...new Set([...kept.tags, ...gone.tags])]
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2">
      {fields.map(({ name, from, other, further }) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd>
            <bdi>{from ?? other ?? '–'}</bdi>
            {from && other && from !== other && (
              <span className="block text-muted text-sm">
                {further ? t('mergeFurther') : t('mergeDropped')} <bdi>{other}</bdi>
              </span>
            )}
          </dd>
        </div>
      ))}
      <dt className="text-muted">{t('tags')}</dt>
      <dd>
        <bdi>{tags.join(', ') || '–'}</bdi>
      </dd>
      <dt className="text-muted">{t('mergeHistory')}</dt>
      <dd>{t('mergeMoves')}</dd>
      {(kept.optedOutAt ?? gone.optedOutAt) && (
        <>
          <dt className="text-muted">{t('optOut')}</dt>
          <dd>{t('mergeOptOut')}</dd>
        </>
      )}
    </dl>
  )
}
