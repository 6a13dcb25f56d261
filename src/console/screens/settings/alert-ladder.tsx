import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { mutation, type Out, pages, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'

type Escalation = Out<'alerts.escalation'>
const WAYS = ['push', 'email', 'whatsapp', 'sms', 'call'] as const
const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['alerts'] }) }

/** Who is notified next when no one reacts. */
export function AlertLadder() {
  const t = useTranslations('alerts')
  const { may } = useAccess()
  const escalation = useQuery(query('alerts.escalation'))
  const members = useInfiniteQuery(pages('members.list', { limit: 200 }))
  const people = members.data?.pages.flatMap(({ items }) => items) ?? []
  const save = useMutation({ ...mutation('alerts.saveEscalation'), ...again })
  const nameOf = (userId: string | null) => {
    const found = people.find((each) => each.userId === userId)
    return found ? found.name || found.email : t('machine')
  }
  return (
    <Panel title={t('ladder')}>
      <p className="text-muted">{t('ladderIntro')}</p>
      <Loaded of={escalation}>
        {({ steps, kinds, whatsappTemplate }) => {
          const write = (next: Escalation['steps']) =>
            save.mutate({
              steps: next.toSorted((a, b) => a.afterMinutes - b.afterMinutes),
              kinds,
              whatsappTemplate,
            })
          return (
            <>
              {steps.length === 0 ? (
                <Empty>{t('noLadder')}</Empty>
              ) : (
                <ol className="flex flex-col gap-2">
                  {steps.map((step) => {
                    const ways = step.ways.map((way) => t(way)).join(', ')
                    const said = t('step', { minutes: String(step.afterMinutes), name: nameOf(step.userId), ways })
                    return (
                      <li
                        key={step.afterMinutes}
                        className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3"
                      >
                        <bdi className="min-w-0 flex-1">{said}</bdi>
                        {may('manager') && (
                          <Act
                            aria-label={`${t('removeStep')}: ${said}`}
                            onPress={() => write(steps.filter((each) => each !== step))}
                          >
                            {t('remove')}
                          </Act>
                        )}
                      </li>
                    )
                  })}
                </ol>
              )}
              {may('manager') && people.length > 0 && (
                <NewStep
                  people={people.map(({ userId, name, email }) => ({ userId, name: name || email }))}
                  onAdd={(step) => write([...steps, step])}
                />
              )}
              <Problem error={save.error} />
            </>
          )
        }}
      </Loaded>
    </Panel>
  )
}

function NewStep({
  people,
  onAdd,
}: {
  people: { userId: string; name: string }[]
  onAdd(step: Escalation['steps'][number]): void
}) {
  const t = useTranslations('alerts')
  const [minutes, setMinutes] = useState(10)
  const [userId, setUserId] = useState(people[0]?.userId ?? '')
  const [way, setWay] = useState<(typeof WAYS)[number]>('call')
  return (
    <form
      className="flex flex-col gap-3 border-line border-t pt-4"
      onSubmit={(event) => {
        event.preventDefault()
        onAdd({ userId, ways: [way], afterMinutes: minutes })
      }}
    >
      <h3 className="font-semibold">{t('addStep')}</h3>
      <div className="grid gap-3 sm:grid-cols-3">
        <Field label={t('after')}>
          {(className) => (
            <input
              type="number"
              min={1}
              max={1_440}
              required
              className={className}
              value={minutes}
              onChange={({ target }) => setMinutes(Number(target.value))}
            />
          )}
        </Field>
        <Field label={t('person')}>
          {(className) => (
            <select className={className} value={userId} onChange={({ target }) => setUserId(target.value)}>
              {people.map((each) => (
                <option key={each.userId} value={each.userId}>
                  {each.name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t('way')}>
          {(className) => (
            <select
              className={className}
              value={way}
              onChange={({ target }) => setWay(WAYS.find((each) => each === target.value) ?? 'call')}
            >
              {WAYS.map((each) => (
                <option key={each} value={each}>
                  {t(each)}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <Act type="submit" className="self-start">
        {t('addStep')}
      </Act>
    </form>
  )
}
