import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Field, Panel, Problem } from '../ui/fields.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Phone } from '../ui/values.tsx'
import { CarrierNumbers } from './setup-number.tsx'

export function NumberSettings() {
  const t = useTranslations('settings')
  const numbers = useQuery(query('businesses.numbers'))
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['businesses'] }) }
  const { operator } = useAccess()
  const state = useTranslations('state')
  const remove = useMutation({ ...mutation('businesses.removeNumber'), ...done })
  const add = useMutation({ ...mutation('businesses.addNumber'), ...done })
  return (
    <>
      <Panel title={t('numbers')}>
        <Loaded of={numbers}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty>{t('noNumbers')}</Empty>
            ) : (
              <ul className="flex flex-col gap-2">
                {items.map((number) => (
                  <li key={number.id} className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
                    <span className="min-w-0 flex-1">
                      <Phone value={number.e164} />
                      {number.label && <bdi className="ms-3 text-muted">{number.label}</bdi>}
                    </span>
                    {operator && (
                      <Confirm
                        label={state('remove')}
                        question={t('removeNumberQuestion')}
                        onConfirm={() => remove.mutate({ numberId: number.id })}
                      />
                    )}
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
        <form
          className="flex flex-col gap-3"
          onSubmit={(event) => {
            event.preventDefault()
            const element = event.currentTarget
            add.mutate({ number: String(new FormData(element).get('number')) }, { onSuccess: () => element.reset() })
          }}
        >
          <Field label={t('number')}>
            {(className) => <input name="number" type="tel" dir="ltr" required className={className} />}
          </Field>
          <Problem error={add.error ?? remove.error} />
          <Act type="submit" className="self-start">
            {t('addNumber')}
          </Act>
        </form>
      </Panel>
      {operator && <CarrierNumbers />}
    </>
  )
}
