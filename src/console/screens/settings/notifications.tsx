import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { useLocale } from '../../app/i18n.tsx'
import { canBeNotified, endpointHash, subscribe, unsubscribe } from '../../app/push.ts'
import { mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Panel } from '../../ui/fields.tsx'
import { Loaded } from '../../ui/states.tsx'
import { Ago } from '../../ui/values.tsx'
import { AlertChannels } from './alert-channels.tsx'
import { AlertHistory } from './alert-history.tsx'
import { AlertLadder } from './alert-ladder.tsx'
import { MyAlerts, TeamAlerts } from './alert-members.tsx'

type Device = Out<'push.devices'>['items'][number]
const KINDS = ['missed_call', 'voicemail', 'lead', 'message'] as const
const HERE = ['push', 'here']

const refresh = () => queryClient.invalidateQueries({ queryKey: ['push'] })

/** Which devices of the member are notified, and of what. */
export function NotificationSettings() {
  const t = useTranslations('push')
  const { may } = useAccess()
  const devices = useQuery(query('push.devices'))
  const here = useQuery({ queryKey: HERE, queryFn: endpointHash, enabled: canBeNotified() })
  return (
    <>
      <Panel title={t('title')}>
        <p>{t('intro')}</p>
        <Loaded of={devices}>
          {({ items }) => {
            const own = items.find(({ endpointHash }) => endpointHash === here.data)
            const others = items.filter((device) => device !== own)
            return (
              <>
                {canBeNotified() ? <ThisDevice device={own} /> : <p role="status">{t('unsupported')}</p>}
                {others.length > 0 && <OtherDevices devices={others} />}
              </>
            )
          }}
        </Loaded>
      </Panel>
      <MyAlerts />
      <BusinessPart />
      {may('manager') && <TeamAlerts />}
      {may('manager') && <AlertChannels />}
      <AlertLadder />
      <AlertHistory />
    </>
  )
}

function ThisDevice({ device }: { device: Device | undefined }) {
  const t = useTranslations('push')
  const { locale } = useLocale()
  const turnOn = useMutation({ mutationFn: () => subscribe(locale), onSuccess: refresh })
  const remove = useMutation(mutation('push.unsubscribe'))
  const turnOff = useMutation({
    mutationFn: async (id: string) => {
      await remove.mutateAsync({ id })
      await unsubscribe()
    },
    onSuccess: refresh,
  })
  const test = useMutation(mutation('push.test'))
  if (!device)
    return (
      <>
        <Act look="main" className="self-start" isDisabled={turnOn.isPending} onPress={() => turnOn.mutate()}>
          {t('on')}
        </Act>
        {turnOn.data === false && <p role="alert">{t('denied')}</p>}
        <Failed error={turnOn.error} />
      </>
    )
  return (
    <>
      <p role="status">{t('isOn')}</p>
      <Kinds device={device} />
      <div className="flex flex-wrap items-center gap-3">
        <Act onPress={() => test.mutate({ id: device.id })}>{t('test')}</Act>
        <Act look="quiet" isDisabled={turnOff.isPending} onPress={() => turnOff.mutate(device.id)}>
          {t('off')}
        </Act>
        {test.isSuccess && <span role="status">{t('tested')}</span>}
      </div>
      <Failed error={test.error ?? turnOff.error} />
    </>
  )
}

function Kinds({ device }: { device: Device }) {
  const t = useTranslations('push')
  const change = useMutation({ ...mutation('push.change'), onSettled: refresh })
  const kinds = change.isPending ? (change.variables?.kinds ?? device.kinds) : device.kinds
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 font-medium">{t('what')}</legend>
      {KINDS.map((kind) => (
        <label key={kind} className="flex min-h-8 items-center gap-3">
          <input
            type="checkbox"
            className="size-5"
            checked={kinds.includes(kind)}
            onChange={({ target }) =>
              change.mutate({
                id: device.id,
                kinds: KINDS.filter((each) => (each === kind ? target.checked : kinds.includes(each))),
              })
            }
          />
          {t(kind)}
        </label>
      ))}
      <Failed error={change.error} />
    </fieldset>
  )
}

function OtherDevices({ devices }: { devices: Device[] }) {
  const t = useTranslations('push')
  const remove = useMutation({ ...mutation('push.unsubscribe'), onSettled: refresh })
  return (
    <>
      <h3 className="font-semibold">{t('others')}</h3>
      <ul className="flex flex-col gap-2">
        {devices.map((device) => (
          <li key={device.id} className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
            <bdi className="min-w-0 flex-1 truncate">{device.label}</bdi>
            <span className="text-muted text-sm">
              {device.lastSentAt ? (
                <>
                  {t('lastSent')} <Ago at={device.lastSentAt} />
                </>
              ) : (
                t('never')
              )}
            </span>
            <Act onPress={() => remove.mutate({ id: device.id })}>{t('remove')}</Act>
          </li>
        ))}
      </ul>
      <Failed error={remove.error} />
    </>
  )
}

function BusinessPart() {
  const t = useTranslations('push')
  const { may } = useAccess()
  const settings = useQuery(query('push.settings'))
  const save = useMutation({ ...mutation('push.saveSettings'), onSettled: refresh })
  const showText = save.isPending ? save.variables.showText : settings.data?.showText
  return (
    <Panel title={t('content')}>
      <Loaded of={settings}>
        {() => (
          <label className="flex items-start gap-3">
            <input
              type="checkbox"
              className="mt-1 size-5 shrink-0"
              checked={showText === true}
              disabled={!may('manager')}
              onChange={({ target }) => save.mutate({ showText: target.checked })}
            />
            <span>
              {t('showText')}
              <span className="block text-muted text-sm">{t('showTextHint')}</span>
            </span>
          </label>
        )}
      </Loaded>
      <Failed error={save.error} />
    </Panel>
  )
}

function Failed({ error }: { error: Error | null }) {
  const t = useTranslations('push')
  if (!error) return null
  return (
    <p role="alert" className="text-danger text-sm">
      {t('failed')}
    </p>
  )
}
