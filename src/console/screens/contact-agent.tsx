import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Loaded } from '../ui/states.tsx'

/** The agent and one contact: whether it answers them, and what it knows of them. */
export function ContactAgent({ contactId }: { contactId: string }) {
  const t = useTranslations('agent')
  const [isOpen, setOpen] = useState(false)
  return (
    <section aria-label={t('contactRegion')} className="flex flex-col gap-2">
      <Switch contactId={contactId} />
      <Act look="quiet" className="self-start" aria-expanded={isOpen} onPress={() => setOpen(!isOpen)}>
        {t('knows')}
      </Act>
      {isOpen && <Memory contactId={contactId} />}
    </section>
  )
}

/** On or off for this contact alone; nothing where the business has the agent off, or the contact no conversation. */
function Switch({ contactId }: { contactId: string }) {
  const t = useTranslations('agent')
  const mayWork = useAccess().may('agent')
  const found = useQuery(query('conversations.list', { contactId, limit: 1 }))
  const id = found.data?.items[0]?.id
  const state = useQuery({ ...query('agent.state', { id: id ?? '' }), enabled: id !== undefined })
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['agent'] }) }
  const turnOff = useMutation({ ...mutation('agent.turnOff'), ...done })
  const resume = useMutation({ ...mutation('agent.resume'), ...done })
  if (!id || !state.data?.enabled) return null
  const isOff = state.data.mode === 'off'
  return (
    <>
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          checked={!isOff}
          disabled={!mayWork || turnOff.isPending || resume.isPending}
          onChange={() => (isOff ? resume : turnOff).mutate({ id })}
        />
        {t('answersContact')}
      </label>
      <Problem error={turnOff.error ?? resume.error} />
    </>
  )
}

function Memory({ contactId }: { contactId: string }) {
  const t = useTranslations('agent')
  const memory = useQuery(query('agent.memory', { id: contactId }))
  return (
    <Loaded of={memory}>
      {(known) => (
        <>
          <p className="text-muted text-sm">{t('knowsHint')}</p>
          <Lines known={known} />
        </>
      )}
    </Loaded>
  )
}

function Lines({ known }: { known: Out<'agent.memory'> }) {
  const t = useTranslations('agent')
  const format = useFormatter()
  const when = (at: string | Date) => format.dateTime(new Date(at), { dateStyle: 'short', timeStyle: 'short' })
  const money = ({ amount, currency }: { amount: number; currency: string }) =>
    format.number(amount / 100, { style: 'currency', currency })
  const lines = [
    ...(known.lead?.inquiry ? [[t('knownInquiry'), known.lead.inquiry]] : []),
    ...(known.lead?.callbackTime ? [[t('knownCallback'), known.lead.callbackTime]] : []),
    ...known.appointments.map(({ startsAt, note }) => [t('knownAppointment', { when: when(startsAt) }), note ?? '']),
    ...known.calls.map(({ at, summary }) => [t('knownCall', { when: when(at) }), summary]),
    ...known.payments.map((payment) => [t('knownPayment', { amount: money(payment) }), payment.description]),
    ...known.notes.map((note) => [t('knownNote'), note]),
    ...known.written.map(({ at, by, text }) => [
      t(by === 'contact' ? 'knownWritten' : 'knownAnswered', { when: when(at) }),
      text,
    ]),
  ]
  if (lines.length === 0) return <p>{t('knowsNothing')}</p>
  return (
    <ul className="flex flex-col gap-2 text-sm">
      {lines.map(([title, text], index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are read anew as a whole
        <li key={index} className="min-w-0 break-words">
          <span className="text-muted">{title}</span> <bdi>{text}</bdi>
        </li>
      ))}
    </ul>
  )
}
