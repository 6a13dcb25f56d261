import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { mutation, query } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { offerUndo } from '../../ui/notice-queue.ts'
import { Empty, Loaded } from '../../ui/states.tsx'
import { isolated } from '../../ui/values.tsx'
import { bookingAgain, numberOf, textOf } from './booking-parts.tsx'

/** How long it takes from one area to another, in both directions. */
export function TravelPanel() {
  const t = useTranslations('booking')
  const { may } = useAccess()
  const settings = useQuery(query('booking.settings'))
  const save = useMutation({ ...mutation('booking.saveSettings'), ...bookingAgain })
  return (
    <Panel title={t('travel')}>
      <p className="text-muted">{t('travelIntro')}</p>
      <Loaded of={settings}>
        {({ travel }) => (
          <>
            {travel.length === 0 && <Empty>{t('noTravel')}</Empty>}
            <ul aria-label={t('travel')} className="flex flex-col gap-1">
              {travel.map((way) => (
                <li key={`${way.from}|${way.to}`} className="flex flex-wrap items-center gap-x-3">
                  <span className="min-w-0 flex-1">
                    <bdi>{way.from}</bdi> – <bdi>{way.to}</bdi>
                    {' · '}
                    {t('lasts', { count: way.minutes })}
                  </span>
                  {may('manager') && (
                    <Act
                      look="quiet"
                      aria-label={t('removeTravel', { from: isolated(way.from), to: isolated(way.to) })}
                      onPress={() =>
                        save.mutate(
                          { travel: travel.filter((each) => each !== way) },
                          { onSuccess: () => offerUndo(t('travelRemoved'), () => save.mutate({ travel })) },
                        )
                      }
                    >
                      {t('remove')}
                    </Act>
                  )}
                </li>
              ))}
            </ul>
            {may('manager') && (
              <form
                className="grid grid-cols-2 items-end gap-3 border-line border-t pt-3"
                onSubmit={(event) => {
                  event.preventDefault()
                  const element = event.currentTarget
                  const form = new FormData(element)
                  const way = { from: textOf(form, 'from'), to: textOf(form, 'to'), minutes: numberOf(form, 'minutes') }
                  const isOther = ({ from, to }: typeof way) =>
                    !(from === way.from && to === way.to) && !(from === way.to && to === way.from)
                  save.mutate({ travel: [...travel.filter(isOther), way] }, { onSuccess: () => element.reset() })
                }}
              >
                <Field label={t('fromArea')}>
                  {(className) => <input name="from" dir="auto" required maxLength={100} className={className} />}
                </Field>
                <Field label={t('toArea')}>
                  {(className) => <input name="to" dir="auto" required maxLength={100} className={className} />}
                </Field>
                <Field label={t('travelMinutes')}>
                  {(className) => (
                    <input
                      name="minutes"
                      type="number"
                      inputMode="numeric"
                      min={0}
                      max={600}
                      required
                      className={className}
                    />
                  )}
                </Field>
                <Act type="submit" isDisabled={save.isPending}>
                  {t('addTravel')}
                </Act>
              </form>
            )}
            <Problem error={save.error} />
          </>
        )}
      </Loaded>
    </Panel>
  )
}
