import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Checked } from '../ui/checked.tsx'
import { Panel, Problem } from '../ui/fields.tsx'
import { Loaded } from '../ui/states.tsx'
import { Phone } from '../ui/values.tsx'

type CarrierNumber = Out<'businesses.carrierNumbers'>['items'][number]

/** The numbers of the Twilio account, found by its key; one press lets the business answer one. */
export function SetupNumber() {
  const t = useTranslations('setup')
  const { operator } = useAccess()
  const providers = useQuery(query('businesses.providers'))
  const assigned = useQuery(query('businesses.numbers'))
  return (
    <Panel title={t('number')}>
      <p className="text-muted">{t('numberIntro')}</p>
      <Loaded of={providers}>
        {({ twilio }) =>
          twilio.configured ? (
            operator ? (
              <Found />
            ) : (
              <p>{t('operatorOnly')}</p>
            )
          ) : (
            <Checked good={false}>
              {t('noTwilio')}{' '}
              <Link to="/settings" search={{ part: 'providers' }} className="underline">
                {t('toProviders')}
              </Link>
            </Checked>
          )
        }
      </Loaded>
      {assigned.data &&
        (assigned.data.items.length === 0 ? (
          <Checked good={false}>{t('noNumber')}</Checked>
        ) : (
          assigned.data.items.map((number) => (
            <Checked key={number.id} good>
              {t('answers')} <Phone value={number.e164} />
            </Checked>
          ))
        ))}
    </Panel>
  )
}

/** The same list on its own, for an installation that is set up. */
export function CarrierNumbers() {
  const t = useTranslations('setup')
  return (
    <Panel title={t('found')}>
      <Found />
    </Panel>
  )
}

function Found() {
  const t = useTranslations('setup')
  const found = useQuery(query('businesses.carrierNumbers'))
  const connect = useMutation({
    ...mutation('businesses.connectNumber'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['businesses'] }),
  })
  return (
    <>
      <Problem error={found.error} />
      <Loaded of={found}>
        {({ items }) =>
          items.length === 0 ? (
            <p>{t('buyNumber')}</p>
          ) : (
            <ul aria-label={t('found')} className="flex flex-col gap-2">
              {items.map((number) => (
                <NumberRow
                  key={number.id}
                  number={number}
                  isBusy={connect.isPending}
                  onConnect={() => connect.mutate({ carrierId: number.id })}
                />
              ))}
            </ul>
          )
        }
      </Loaded>
      <Problem error={connect.error} />
      <Act className="self-start" isDisabled={found.isFetching} onPress={() => void found.refetch()}>
        {t('lookAgain')}
      </Act>
    </>
  )
}

function NumberRow({ number, isBusy, onConnect }: { number: CarrierNumber; isBusy: boolean; onConnect(): void }) {
  const t = useTranslations('setup')
  const { assigned, connected, goesTo } = number
  const ready = assigned === 'here' && connected
  return (
    <li className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
      <span className="min-w-0 flex-1 basis-48">
        <Phone value={number.e164} />
        <span className="block break-words text-muted text-sm">
          {ready ? (
            t('webhooksSet')
          ) : assigned === 'elsewhere' ? (
            t('elsewhere')
          ) : goesTo ? (
            <>
              {t('goesTo')}{' '}
              <bdi dir="ltr" className="break-all">
                {goesTo}
              </bdi>
            </>
          ) : (
            t('goesNowhere')
          )}
        </span>
      </span>
      {!ready && assigned !== 'elsewhere' && (
        <Act look="main" isDisabled={isBusy} onPress={onConnect}>
          {t('connect')}
        </Act>
      )}
    </li>
  )
}
