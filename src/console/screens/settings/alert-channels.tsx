import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { useLocale } from '../../app/i18n.tsx'
import { mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Copyable } from '../../ui/copy.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'

type Channel = Out<'alerts.channels'>['items'][number]
const WAYS = ['slack', 'telegram', 'webhook'] as const
const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['alerts'] }) }

/** Chats and programs outside that are notified. */
export function AlertChannels() {
  const t = useTranslations('alerts')
  const channels = useQuery(query('alerts.channels'))
  return (
    <Panel title={t('channels')}>
      <p className="text-muted">{t('channelsIntro')}</p>
      <Loaded of={channels}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty>{t('noChannels')}</Empty>
          ) : (
            <ul aria-label={t('channels')} className="flex flex-col gap-2">
              {items.map((channel) => (
                <ChannelRow key={channel.id} channel={channel} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <NewChannel />
    </Panel>
  )
}

function ChannelRow({ channel }: { channel: Channel }) {
  const t = useTranslations('alerts')
  const { id, enabled, kinds } = channel
  const change = useMutation({ ...mutation('alerts.changeChannel'), ...again })
  const remove = useMutation({ ...mutation('alerts.removeChannel'), ...again })
  const test = useMutation({ ...mutation('alerts.testChannel'), ...again })
  return (
    <li className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
      <span className="min-w-0 flex-1">
        <bdi className="block truncate">{channel.label}</bdi>
        <span className="block text-muted text-sm">
          {t(channel.way)} · {enabled ? t('on') : t('off')} · {kinds ? kinds.length : t('important')}
        </span>
      </span>
      <Act onPress={() => test.mutate({ id })}>{t('test')}</Act>
      <Act onPress={() => change.mutate({ id, enabled: !enabled })}>{enabled ? t('turnOff') : t('turnOn')}</Act>
      <Confirm label={t('remove')} question={t('removeQuestion')} onConfirm={() => remove.mutate({ id })} />
      {test.isSuccess && <span role="status">{t('testing')}</span>}
      <Problem error={change.error ?? remove.error ?? test.error} />
    </li>
  )
}

function NewChannel() {
  const t = useTranslations('alerts')
  const { locale } = useLocale()
  const add = useMutation({ ...mutation('alerts.addChannel'), ...again })
  const [way, setWay] = useState<(typeof WAYS)[number]>('slack')
  const [label, setLabel] = useState('')
  const [url, setUrl] = useState('')
  const [token, setToken] = useState('')
  const [chatId, setChatId] = useState('')
  const [buttons, setButtons] = useState(false)
  const submit = () => {
    const target =
      way === 'telegram' ? { way, token: token.trim(), chatId: chatId.trim(), buttons } : { way, url: url.trim() }
    add.mutate(
      { target, label, language: locale },
      {
        onSuccess: () => {
          setLabel('')
          setUrl('')
          setToken('')
          setChatId('')
        },
      },
    )
  }
  const text = (name: string, value: string, set: (value: string) => void, direction: 'ltr' | 'auto' = 'ltr') => (
    <Field label={name}>
      {(className) => (
        <input
          required
          dir={direction}
          className={className}
          value={value}
          onChange={({ target }) => set(target.value)}
        />
      )}
    </Field>
  )
  return (
    <form
      className="flex flex-col gap-3 border-line border-t pt-4"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <h3 className="font-semibold">{t('add')}</h3>
      <Field label={t('kind')}>
        {(className) => (
          <select
            className={className}
            value={way}
            onChange={({ target }) => setWay(WAYS.find((each) => each === target.value) ?? 'slack')}
          >
            {WAYS.map((each) => (
              <option key={each} value={each}>
                {t(each)}
              </option>
            ))}
          </select>
        )}
      </Field>
      {text(t('label'), label, setLabel, 'auto')}
      {way === 'telegram' ? (
        <>
          {text(t('token'), token, setToken)}
          {text(t('chat'), chatId, setChatId)}
          <label className="flex min-h-9 items-center gap-2">
            <input
              type="checkbox"
              className="size-4 shrink-0"
              checked={buttons}
              onChange={({ target }) => setButtons(target.checked)}
            />
            <span className="min-w-0">{t('buttons')}</span>
          </label>
        </>
      ) : (
        text(t('url'), url, setUrl)
      )}
      <Act type="submit" look="main" className="self-start" isDisabled={add.isPending}>
        {t('add')}
      </Act>
      {add.data?.secret && <Copyable label={t('secret')} value={add.data.secret} />}
      <Problem error={add.error} />
    </form>
  )
}
