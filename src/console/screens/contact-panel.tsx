import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Allowed } from '../ui/allowed.tsx'
import { Act } from '../ui/buttons.tsx'
import { Loaded } from '../ui/states.tsx'
import { Ago, Phone } from '../ui/values.tsx'
import { ContactAgent } from './contact-agent.tsx'
import { ContactForm } from './contact-form.tsx'
import { ContactMerge } from './contact-merge.tsx'

export function ContactPanel({ contactId, onClose }: { contactId: string; onClose(): void }) {
  const t = useTranslations()
  const [over, setOver] = useState<'edit' | 'merge' | null>(null)
  const contact = useQuery(query('contacts.get', { id: contactId }))
  const optOut = useMutation({
    ...mutation('contacts.optOut'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['contacts'] }),
  })
  return (
    <div className="flex flex-col gap-4 p-4">
      <Act look="quiet" className="self-end" onPress={onClose}>
        {t('state.close')}
      </Act>
      <Loaded of={contact}>
        {(data) => (
          <>
            <h2 className="font-bold text-lg">{data.name ? <bdi>{data.name}</bdi> : t('contact.noName')}</h2>
            <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2">
              {data.phone && (
                <>
                  <dt className="text-muted">{t('contact.phone')}</dt>
                  <dd>
                    <a href={`tel:${data.phone}`} className="underline">
                      <Phone value={data.phone} />
                    </a>
                  </dd>
                </>
              )}
              {data.email && (
                <>
                  <dt className="text-muted">{t('contact.email')}</dt>
                  <dd className="min-w-0 break-words">
                    <bdi dir="ltr">{data.email}</bdi>
                  </dd>
                </>
              )}
              <dt className="text-muted">{t('contact.since')}</dt>
              <dd>
                <Ago at={data.createdAt} />
              </dd>
            </dl>
            {Object.keys(data.custom).length > 0 && (
              <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
                {Object.entries(data.custom).map(([name, value]) => (
                  <div key={name} className="contents">
                    <dt className="text-muted">
                      <bdi>{name}</bdi>
                    </dt>
                    <dd className="min-w-0 break-words">
                      <bdi>{String(value ?? '')}</bdi>
                    </dd>
                  </div>
                ))}
              </dl>
            )}
            {data.tags.length > 0 && (
              <ul aria-label={t('contact.tags')} className="flex flex-wrap gap-1">
                {data.tags.map((tag) => (
                  <li key={tag} className="rounded-full bg-raised px-2 text-sm">
                    <bdi>{tag}</bdi>
                  </li>
                ))}
              </ul>
            )}
            <ContactAgent contactId={data.id} />
            <Allowed to="agent">
              <div className="flex gap-2">
                <Act onPress={() => setOver('edit')}>{t('contact.edit')}</Act>
                <Act onPress={() => setOver('merge')}>{t('contact.merge')}</Act>
              </div>
              {over === 'edit' && <ContactForm contact={data} onClose={() => setOver(null)} />}
              {over === 'merge' && <ContactMerge contact={data} onClose={() => setOver(null)} />}
              <Act onPress={() => optOut.mutate({ id: data.id, optedOut: data.optedOutAt === null })}>
                {data.optedOutAt ? t('contact.optIn') : t('contact.optOut')}
              </Act>
            </Allowed>
          </>
        )}
      </Loaded>
    </div>
  )
}
